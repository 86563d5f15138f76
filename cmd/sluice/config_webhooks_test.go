package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceproject/sluice/rules"
)

// TestMistakesInWebhooks: each with its place and the way to mend it, and nothing
// of a password.
func TestMistakesInWebhooks(t *testing.T) {
	const right = `url: "https://dam.example.com/", secret_file: k`
	for _, row := range []struct {
		name, text string
		want       []string
	}{
		{"all that is needed", `dam: {` + right + `}`, nil},
		{"no secret", `dam: {url: "https://dam.example.com/"}`, []string{`2:8: "dam" lacks the key "secret_file"`}},
		{"nothing", `dam: {}`, []string{`2:8: "dam" lacks the key "url"`, `2:8: "dam" lacks the key "secret_file"`}},
		{"not encrypted", `dam: {url: "http://dam.example.com/", secret_file: k}`, []string{`2:14: http can be read and changed on the way; use https, or http for a service on this machine`}},
		{"a password", `dam: {url: "https://me:s3cr3t@dam.example.com/", secret_file: k}`, []string{`2:14: a user and a password do not belong here; requests are signed with the secret of secret_file`}},
		{"a time", `dam: {` + right + `, timeout: 2x}`, []string{`2:67: "2x" is not a time such as 500ms or 2s, from 1ms to 1m`}},
		{"a long time", `dam: {` + right + `, timeout: 2m}`, []string{`2:67: "2m" is not a time such as 500ms or 2s, from 1ms to 1m`}},
		{"nobody asks", `dam: {` + right + `, workers: 0}`, []string{`2:67: "workers": must be greater than or equal to 1`}},
		{"a name", `"the dam": {` + right + `}`, []string{`2:3: a webhook cannot be called "the dam": a name is up to 64 letters, digits, dots, dashes and underscores`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			file := written(t, "sluice.yaml", "webhooks:\n  "+row.text+"\n")
			_, err := readConfig(file)
			var got []string
			if err != nil {
				if strings.Contains(err.Error(), "s3cr3t") {
					t.Error(err)
				}
				for line := range strings.Lines(err.Error()) {
					if rest, ok := strings.CutPrefix(line, file+":"); ok {
						got = append(got, strings.TrimSuffix(rest, "\n"))
					}
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWebhooksAreOpened with the secrets of their files; what is wrong is said of
// each.
func TestWebhooksAreOpened(t *testing.T) {
	key, short := written(t, "dam.key", "a secret of the tests\n"), written(t, "short.key", "s3cr3t")
	at := func(hooks ...webhookConfig) config { return config{webhooks: hooks} }
	dam := webhookConfig{Name: "dam", URL: "https://dam.example.com/", SecretFile: key, Workers: 1}
	missing, brief, authority := dam, dam, dam
	missing.Name, missing.SecretFile = "missing", key+".none"
	brief.Name, brief.SecretFile = "brief", short
	authority.Name, authority.CAFile = "authority", key
	c := at(dam, missing, brief, authority)
	_, err := c.openWebhooks()
	if err == nil {
		t.Fatal("there is no error")
	}
	want := "the webhook missing: reading the secret: open " + key + ".none: no such file or directory\n" +
		"the webhook brief: the secret in " + short + " has 6 bytes, and must have from 16 to 4096; make one with: openssl rand -hex 32\n" +
		"the webhook authority: the CA file " + key + " has no certificate in PEM form"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	c = at(dam)
	set, err := c.openWebhooks()
	if err != nil {
		t.Fatal(err)
	}
	if hook, err := set.named("dam"); hook == nil || err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{
		"dan": `no webhook of the configuration is called "dan"; did you mean "dam"?`,
		"x":   `no webhook of the configuration is called "x"; configured: dam`,
	} {
		if _, err := set.named(name); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	none, err := new(config).openWebhooks()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := none.named("dam"); err == nil || err.Error() != "the service's configuration has no webhooks" {
		t.Error(err)
	}
}

// TestWebhookThatIsBusy: no more are asked at once, and whoever would have to wait
// behind too many is told so.
func TestWebhookThatIsBusy(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		reached <- struct{}{}
		<-release
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(text)
	}))
	defer server.Close()
	c := config{webhooks: []webhookConfig{{Name: "dam", URL: server.URL, SecretFile: written(t, "dam.key", "a secret of the tests"), Timeout: defaultConfig().shutdownTimeout, Workers: 1}}}
	set, err := c.openWebhooks()
	if err != nil {
		t.Fatal(err)
	}
	hook, err := set.named("dam")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		status, text, err := hook.Ask(context.Background(), "1", []byte("{}"))
		if status != http.StatusBadRequest || string(text) != "{}" {
			err = errors.Join(err, errors.New("this is another answer"))
		}
		done <- err
	}()
	<-reached
	if _, _, err := hook.Ask(t.Context(), "2", nil); !errors.Is(err, rules.ErrBusy) {
		t.Error(err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
