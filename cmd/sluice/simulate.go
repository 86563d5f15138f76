package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"
)

// simulateCmd is `sluice simulate`: it posts the events that ascp would send
// about real files, and shows what the service answers.
type simulateCmd struct {
	Paths []simArg `arg:"" name:"path" help:"Files and folders to send events about. Folders are walked in name order; symbolic links are not followed."`

	To          string        `required:"" placeholder:"URL" help:"The validation_uri: /validation/files is appended to it as it stands."`
	Threads     int           `default:"5" placeholder:"N" help:"Events of one session under way at once, 1 to 256 (validation_threads; ${default})."`
	Sessions    int           `default:"1" placeholder:"N" help:"Sessions of one transfer among which the files are dealt, 1 to 64 (${default})."`
	Connections string        `enum:"keep,new" default:"keep" help:"keep connections open, or use a new one for each request (${default})."`
	Timeout     time.Duration `default:"30s" help:"How long to wait for an answer (${default})."`
	All         bool          `help:"Go on after a refusal or an error, where ascp would end the session."`
	Overtake    bool          `help:"Send the events of one file without waiting for each other's answers."`
	Repeat      int           `default:"1" placeholder:"N" help:"Walk the files N times (${default})."`
	Format      string        `enum:"text,json" default:"text" help:"text, or json: an object a line (${default})."`
	Quiet       bool          `short:"q" help:"Show only refusals, errors and the summary."`

	Docroot     simArg `group:"What the events say" placeholder:"DIR" help:"The local folder that stands for the docroot; without it the server's path is the absolute local one."`
	As          simArg `group:"What the events say" placeholder:"PREFIX" help:"The path that --docroot has on the server (/)."`
	Direction   string `group:"What the events say" enum:"upload,download" default:"upload" help:"upload or download (${default})."`
	UploadIs    string `group:"What the events say" enum:"recv,send" default:"recv" help:"What an upload is called in the events: recv or send (${default})."`
	ThresholdKB *int64 `group:"What the events say" name:"threshold-kb" placeholder:"N" help:"Send running for files larger than N KiB (validation_threshold_kb)."`
	Checksum    string `group:"What the events say" enum:"none,md5,sha1,sha256,sha384,sha512" default:"none" help:"Digest to send with stop: none, md5, sha1, sha256, sha384 or sha512 (${default})."`
	Tags        string `group:"What the events say" placeholder:"JSON|@FILE" help:"The transfer's tags. Their aspera.xfer_id, if there is one, is the transfer's id."`
	Cookie      simArg `group:"What the events say" placeholder:"TEXT" help:"The transfer's cookie."`
	User        simArg `group:"What the events say" default:"xfer" help:"The transfer account (${default})."`
	UserID      int64  `group:"What the events say" name:"userid" default:"0" placeholder:"N" help:"The account's numeric id (${default})."`
	ClientIP    string `group:"What the events say" name:"client-ip" default:"127.0.0.1" placeholder:"ADDRESS" help:"The client's address (${default})."`
	Cipher      simArg `group:"What the events say" default:"aes-128" help:"The cipher of the transfer (${default})."`
	RatePolicy  string `group:"What the events say" enum:"fixed,fair,high,low" default:"fair" help:"fixed, fair, high or low (${default})."`
	TargetRate  int64  `group:"What the events say" name:"target-rate-kbps" default:"300000" placeholder:"N" help:"The target rate in kbit/s (${default})."`
	MinRate     int64  `group:"What the events say" name:"min-rate-kbps" default:"0" placeholder:"N" help:"The minimum rate in kbit/s (${default})."`
}

// Help returns the long text for `sluice simulate --help` with two examples.
func (c *simulateCmd) Help() string {
	return `Sends, about real files, the events that ascp would send to a validation
service: start and stop for each file, and running where --threshold-kb says so.
Nothing is transferred, and only --checksum reads the files.

As with ascp, the first refusal or error ends the session: nothing new is sent,
and what is under way is finished and shown. --all goes on instead.

Would tonight's delivery be accepted?

  sluice simulate --to http://127.0.0.1:8080 --docroot /srv/aspera/in \
      --checksum sha256 /srv/aspera/in/delivery

How fast does the service answer four sessions whose events overtake each other?

  sluice simulate --to http://127.0.0.1:8080 --sessions 4 --overtake --all \
      --repeat 100 --quiet ~/samples

Status: 0 everything was accepted, 1 something was refused or in error, 2 wrong
usage, no answer from the service or no file found, 130 interrupted.`
}

// Run walks the paths, posts the events and reports. Its errors are those of
// usage, of a walk that finds no file and of a service that never answers; an
// exitError stands for everything that the output has said already.
func (c *simulateCmd) Run(ctx context.Context, std *stdio) error {
	plan, err := c.plan()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	running, abort := context.WithCancel(ctx)
	defer abort()
	report := newSimReport(std, c.Format == "json", c.Quiet, abort)
	run := &simRun{plan: plan, poster: newSimPoster(plan), report: report}
	defer run.poster.close()

	run.all(running)
	if err := report.finish(); err != nil {
		return fmt.Errorf("the output cannot be written: %w", err)
	}
	return simStatus(ctx, report)
}

// simStatus is what the run as a whole comes to.
func simStatus(ctx context.Context, r *simReport) error {
	switch {
	case ctx.Err() != nil:
		return exitError(130) // What a shell makes of an interrupt.
	case r.total.Files == 0:
		return errors.New("no file found: there is nothing to send events about")
	case !r.heard && r.silence != nil:
		return fmt.Errorf("the service gave no answer: %w", r.silence)
	case r.total.Refused+r.total.Errors > 0:
		return exitError(1)
	default:
		return nil
	}
}
