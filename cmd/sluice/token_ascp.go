package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluiceproject/sluice/rules"
)

// tokenSpec is what is read of a transfer_spec.
type tokenSpec struct {
	Token           string         `json:"token"`
	Cipher          string         `json:"cipher"`
	Cookie          string         `json:"cookie"`
	DestinationRoot string         `json:"destination_root"`
	SourceRoot      string         `json:"source_root"`
	FASPPort        int64          `json:"fasp_port"`
	SSHPort         int64          `json:"ssh_port"`
	MinRate         int64          `json:"min_rate_kbps"`
	Paths           []tokenPath    `json:"paths"`
	RatePolicy      string         `json:"rate_policy"`
	RemoteHost      string         `json:"remote_host"`
	RemoteUser      string         `json:"remote_user"`
	SSHFingerprint  string         `json:"sshfp"`
	TargetRate      int64          `json:"target_rate_kbps"`
	Tags            jsontext.Value `json:"tags"`
}

// specToken returns the token of a transfer_spec, whatever else is in it.
func specToken(value jsontext.Value) (string, error) {
	var spec struct {
		Token string `json:"token"`
	}
	switch err := json.Unmarshal(value, &spec); {
	case err != nil:
		return "", unreadableSpec(err)
	case spec.Token == "":
		return "", errors.New("the transfer_spec has no token; --output spec shows what there is")
	case strings.ContainsFunc(spec.Token, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", errors.New("the token has characters in it that no token has")
	}
	return spec.Token, nil
}

// readTokenSpec reads a transfer_spec, which must have a token.
func readTokenSpec(value jsontext.Value) (*tokenSpec, error) {
	if _, err := specToken(value); err != nil {
		return nil, err
	}
	var spec tokenSpec
	if err := json.Unmarshal(value, &spec); err != nil {
		return nil, unreadableSpec(err)
	}
	return &spec, nil
}

func unreadableSpec(err error) error {
	var wrong *json.SemanticError
	if errors.As(err, &wrong) && wrong.JSONPointer != "" {
		return fmt.Errorf("the transfer_spec has something else than expected at %s", rules.Printable(string(wrong.JSONPointer)))
	}
	return errors.New("the transfer_spec cannot be read")
}

// ascp returns the command line of ascp for a transfer_spec. An option is here
// only if IBM's documentation has it.
func (p *tokenPlan) ascp(s *tokenSpec) (string, error) {
	if s.RemoteHost == "" || s.RemoteUser == "" {
		return "", errors.New("the transfer_spec does not say where to connect to (remote_host, remote_user): " +
			"set tokens.transfer.remote_host in the service's configuration; --output spec shows what there is")
	}
	// The environment is for whatever a list of processes should not show.
	variables := []string{"ASPERA_SCP_TOKEN=" + singleQuoted(s.Token)}
	if s.Cookie != "" {
		variables = append(variables, "ASPERA_SCP_COOKIE="+singleQuoted(s.Cookie))
	}
	words := []string{"ascp"}
	if s.SSHPort > 0 {
		words = append(words, "-P", strconv.FormatInt(s.SSHPort, 10))
	}
	if s.FASPPort > 0 {
		words = append(words, "-O", strconv.FormatInt(s.FASPPort, 10))
	}
	words = append(words, ascpCipher(s.Cipher)...)
	words = append(words, ascpRates(s)...)
	if p.identity != "" {
		words = append(words, "-i", p.identity)
	}
	if s.SSHFingerprint != "" {
		words = append(words, "--check-sshfp="+s.SSHFingerprint)
	}
	words = append(words, "--user="+s.RemoteUser, "--host="+s.RemoteHost)
	if s.Tags.Kind() == '{' {
		if err := s.Tags.Compact(); err != nil {
			return "", fmt.Errorf("the tags: %w", err)
		}
		words = append(words, "--tags64="+base64.StdEncoding.EncodeToString(s.Tags))
	}
	what, err := p.ascpPaths(s)
	if err != nil {
		return "", err
	}
	words = append(words, what...)
	for i, word := range words {
		if strings.ContainsFunc(word, unicode.IsControl) {
			return "", errors.New("a control character does not belong on a command line; --output spec shows what there is")
		}
		words[i] = shellQuoted(word)
	}
	return strings.Join(append(variables, words...), " "), nil
}

// ascpPaths returns the direction, the sources and the destination.
func (p *tokenPlan) ascpPaths(s *tokenSpec) ([]string, error) {
	if p.upload {
		destination := s.DestinationRoot
		if destination == "" {
			destination = p.request.DestinationRoot
		}
		words := []string{"--mode=send"}
		if p.list != "" {
			return append(words, p.list, ascpPath("", destination)), nil
		}
		words = append(words, "-d") // DEST is a folder, also where there is none yet.
		for _, path := range p.request.Paths {
			words = append(words, ascpPath("", path.Source))
		}
		return append(words, ascpPath("", destination)), nil
	}
	words := []string{"--mode=recv"}
	if p.list != "" {
		if strings.Trim(p.request.SourceRoot, "/") != "" {
			return nil, errors.New("ascp reads the list as it stands, without the folder of --download: " +
				"write whole paths into the list and use --download /")
		}
		return append(words, p.list, "."), nil
	}
	// The answer's paths are those that the token is bound to.
	paths, root := s.Paths, s.SourceRoot
	if !slices.ContainsFunc(paths, func(path tokenPath) bool { return path.Source != "" }) {
		paths, root = p.request.Paths, p.request.SourceRoot
	}
	for _, path := range paths {
		words = append(words, ascpPath(root, path.Source))
	}
	return append(words, "."), nil
}

// ascpPath returns a path below a root, so that ascp takes it for no option.
func ascpPath(root, path string) string {
	if strings.Trim(root, "/") != "" {
		path = strings.TrimRight(root, "/") + "/" + strings.TrimLeft(path, "/")
	}
	if strings.HasPrefix(path, "-") {
		return "./" + path
	}
	return path
}

// ascpCipher returns the options for a cipher of the Node API. One that is not
// known is left to ascp and the server.
func ascpCipher(name string) []string {
	written := strings.ReplaceAll(strings.ToLower(name), "-", "")
	strength := strings.TrimSuffix(strings.TrimSuffix(written, "gcm"), "cfb")
	switch {
	case written == "none":
		return []string{"-T"}
	case slices.Contains([]string{"aes128", "aes192", "aes256"}, strength):
		return []string{"-c", written}
	default:
		return nil
	}
}

// ascpRates returns the options for the rates, in kbit/s.
func ascpRates(s *tokenSpec) (words []string) {
	if slices.Contains([]string{"fixed", "high", "fair", "low"}, s.RatePolicy) {
		words = append(words, "--policy="+s.RatePolicy)
	}
	if s.TargetRate > 0 {
		words = append(words, "-l", strconv.FormatInt(s.TargetRate, 10)+"K")
	}
	if s.MinRate > 0 {
		words = append(words, "-m", strconv.FormatInt(s.MinRate, 10)+"K")
	}
	return words
}

// shellQuoted returns a word as a POSIX shell reads it.
func shellQuoted(word string) string {
	if word != "" && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=,+@%") == "" {
		return word
	}
	return singleQuoted(word)
}

// singleQuoted returns a word in quotes.
func singleQuoted(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
