package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/sluiceproject/sluice/rules"
	"github.com/sluiceproject/sluice/validator"
)

// explainCmd is `sluice explain`.
type explainCmd struct {
	Event    *simArg `arg:"" optional:"" name:"event" help:"File with one event as ascp posts it; - is standard input, and so is nothing. Or the id of a past decision."`
	Policies *string `help:"Folder of the policy set (policies)." placeholder:"DIR"`
	Config   string  `help:"Configuration file of the service. The flags win over it." placeholder:"FILE"`
	Default  string  `help:"What happens to events to which no policy applies: accept or reject (reject)." placeholder:"VERDICT" enum:",accept,reject" default:""`
	Log      string  `help:"The decision log in which to find a past decision, or store for the policy store of --config; by default the log of --config." aliases:"dir,from" placeholder:"DIR"`
	All      bool    `help:"Show every policy that does not apply, however many they are."`
	Format   string  `help:"text, or json (${default})." enum:"text,json" default:"text"`
}

// Help returns the long text of --help.
func (explainCmd) Help() string {
	return `Decides one event by the policies of a folder and shows how that came about:
which policies apply and why others do not, what each rule saw and said, what
shadowed rules would refuse, and what ascp would get. Nothing is posted. Give it
the service's --config if that sets default, upload_direction or partial_suffix.

  sluice explain --policies policies/examples event.json

POST /v1/explain at the admin address does the same with the policies in force.

With the id of a past decision it shows that as it was made, out of the log:

  sluice explain --config sluice.yaml 0199e1c4-7b1e-7a53-9f0e-3d1f2a4b5c6d

Status: 0 the event is explained, whatever the verdict; 1 the decision is not in the
log; 2 it could not be explained.`
}

// Run explains the event.
func (c *explainCmd) Run(ctx context.Context, std *stdio) error {
	if past := c.past(); past != nil {
		if c.Log == "" && c.Config == "" {
			return errors.New("in which log is that decision? Say --log FOLDER, or --config with the service's configuration")
		}
		return past.Run(ctx, std)
	}
	settings, err := (&serveCmd{Config: c.Config, Policies: c.Policies, Default: c.Default}).settings()
	if err != nil {
		return mistakes(std, err, 2)
	}
	keys, err := settings.openGrants(false)
	if err != nil {
		return mistakes(std, err, 2)
	}
	options, _, err := settings.policyOptions(keys, sharedState{})
	if err != nil {
		return mistakes(std, err, 2)
	}
	snapshot, err := settings.compilePolicies(ctx, options)
	if err != nil {
		return mistakes(std, err, 2)
	}
	body, err := c.read(std.in, settings.limits.Body)
	if err != nil {
		return err
	}
	explainer := validator.Explainer{
		Decoder: validator.Decoder{UploadIs: settings.uploadDirection}, Limit: settings.limits.Body, Now: time.Now,
		Decide: func(ctx context.Context, e *rules.Event) (rules.Decision, []rules.Considered) {
			return decideAndConsider(ctx, snapshot, e)
		},
	}
	told := explainer.Explain(ctx, body, c.All)
	if c.Format == "json" {
		return told.Encode(std.out)
	}
	_, err = io.WriteString(std.out, explained(&told, newPainter(std.out)))
	return err
}

// past returns what shows a past decision, if the argument is the id of one and not
// the name of a file.
func (c *explainCmd) past() *logShowCmd {
	if c.Event == nil || !isDecisionID(string(*c.Event)) {
		return nil
	}
	if _, err := os.Stat(string(*c.Event)); err == nil {
		return nil
	}
	return &logShowCmd{ID: string(*c.Event), logSource: logSource{Dir: c.Log, Config: c.Config}, Format: c.Format}
}

// read returns the event's text, as far as it may be long and a byte more.
func (c *explainCmd) read(in io.Reader, limit int64) (string, error) {
	name := "-"
	if c.Event != nil {
		name = string(*c.Event)
	} else if isSimTerminal(in) {
		return "", errors.New("which event? Name a file with the JSON that ascp posts, or pipe it in: sluice explain < event.json")
	}
	switch name {
	case "": // As of a variable that is not set.
		return "", errors.New("the event's file name is empty")
	case "-":
	default:
		file, err := os.Open(name)
		if err != nil {
			var cause *fs.PathError
			if errors.As(err, &cause) {
				err = cause.Err
			}
			return "", fmt.Errorf("the event %s cannot be read: %w", rules.Printable(name), err)
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return "", fmt.Errorf("the event cannot be read: %w", err)
	}
	return string(text), nil
}
