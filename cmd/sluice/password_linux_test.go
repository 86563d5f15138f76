package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pseudoTerminal returns both ends of a terminal: what a person types into and
// reads from, and what a program has as its input.
func pseudoTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// echoes reports whether a terminal shows what is typed.
func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// prompted waits for a prompt, and then until nothing is shown of what is typed.
func prompted(t *testing.T, prompts io.Reader, prompt string, terminal *os.File) {
	t.Helper()
	got := make([]byte, len(prompt))
	if _, err := io.ReadFull(prompts, got); err != nil || string(got) != prompt {
		t.Fatalf("%q, %v; want %q", got, err, prompt)
	}
	for echoes(t, terminal) {
		runtime.Gosched()
	}
}

// atTerminal starts `sluice password` at a terminal. ended has its exit status.
func atTerminal(ctx context.Context, program *os.File, out io.Writer, args ...string) (prompts *io.PipeReader, ended chan int) {
	prompts, errs := io.Pipe()
	ended = make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"password"}, args...), &stdio{in: program, out: out, err: errs})
		errs.Close()
	}()
	return prompts, ended
}

func TestPasswordAtATerminal(t *testing.T) {
	const typed = "Korrekt Pferd"
	person, program := pseudoTerminal(t)
	var out bytes.Buffer
	prompts, ended := atTerminal(t.Context(), program, &out, "--argon2-memory=8MiB")
	for _, prompt := range []string{"Password: ", "\nThe same again: "} {
		prompted(t, prompts, prompt, program)
		if _, err := io.WriteString(person, typed+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	rest, err := io.ReadAll(prompts)
	if status := <-ended; status != 0 || err != nil || string(rest) != "\n" || !strings.HasPrefix(out.String(), "$argon2id$v=19$m=8192,t=3,p=4$") {
		t.Errorf("status %d, %q, then %q, %v", status, out.String(), rest, err)
	}
	if !echoes(t, program) {
		t.Error("the terminal is left so that it shows nothing")
	}
	// This is the last that the terminal shows.
	if _, err := io.WriteString(program, "END"); err != nil {
		t.Fatal(err)
	}
	shown := ""
	for buffer := make([]byte, 256); !strings.Contains(shown, "END"); {
		n, err := person.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		shown += string(buffer[:n])
	}
	if strings.Contains(shown, "orrek") {
		t.Errorf("the terminal shows %q", shown)
	}
}

func TestPasswordInterrupted(t *testing.T) {
	_, program := pseudoTerminal(t)
	ctx, interrupt := context.WithCancel(t.Context())
	var out bytes.Buffer
	prompts, ended := atTerminal(ctx, program, &out)
	prompted(t, prompts, "Password: ", program)
	interrupt()
	rest, _ := io.ReadAll(prompts)
	if status := <-ended; status != 2 || string(rest) != "\nsluice: interrupted; nothing was hashed\n" || out.Len() != 0 {
		t.Errorf("status %d, %q, %q", status, rest, out.String())
	}
	if !echoes(t, program) {
		t.Error("the terminal is left so that it shows nothing")
	}
}
