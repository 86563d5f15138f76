//go:build linux

package main

import (
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// What stands in for a scanner that hangs has to hold every file until it is let
// go on, and then answer so that the service does not take it for broken.
func TestStandIn(t *testing.T) {
	s, err := newStandIn(filepath.Join(t.TempDir(), "x.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ask := func(request []byte) (net.Conn, chan string) {
		conn, err := net.Dial("unix", s.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		answer := make(chan string, 1)
		go func() {
			text, _ := io.ReadAll(conn) // What is missing is seen by the caller.
			answer <- string(text)
		}()
		return conn, answer
	}
	piece := append(binary.BigEndian.AppendUint32(nil, 3), "abc"...)
	file := append(append([]byte("zINSTREAM\x00"), piece...), 0, 0, 0, 0)

	_, first := ask(file)
	_, second := ask(file)
	_, version := ask([]byte("zVERSION\x00"))
	if got, want := <-version, "ClamAV 0.0.0\x00"; got != want {
		t.Errorf("it says %q of itself, want %q", got, want)
	}
	select {
	case text := <-first:
		t.Fatalf("it answered %q while it hung", text)
	case text := <-second:
		t.Fatalf("it answered %q while it hung", text)
	default:
	}
	s.goOn()
	for _, answer := range []chan string{first, second} {
		if got, want := <-answer, "stream: OK\x00"; got != want {
			t.Errorf("it answered %q, want %q", got, want)
		}
	}
	s.hang()
	conn, third := ask(file)
	_, version = ask([]byte("zVERSION\x00"))
	<-version
	select {
	case text := <-third:
		t.Fatalf("it answered %q while it hung again", text)
	default:
	}
	s.goOn()
	if got, want := <-third, "stream: OK\x00"; got != want {
		t.Errorf("it answered %q after hanging again, want %q", got, want)
	}
	conn.Close()
}
