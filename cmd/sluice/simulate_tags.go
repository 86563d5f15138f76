package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluiceproject/sluice/rules"
)

// simMaxTags is the longest file of tags, in bytes: as much as an event may
// have in all.
const simMaxTags = 1 << 20

// simTags returns the tags of a flag, and the transfer's id where they hold it.
// Any JSON will do, because servers send tags in several forms.
func simTags(flag string) (jsontext.Value, string, error) {
	if flag == "" {
		return jsontext.Value("{}"), "", nil
	}
	text := flag
	if name, ok := strings.CutPrefix(flag, "@"); ok {
		var err error
		if text, err = simReadTags(name); err != nil {
			return nil, "", err
		}
	}
	if _, err := rules.ParseTree(text); err != nil {
		return nil, "", err
	}
	value := jsontext.Value(text)
	if err := value.Compact(); err != nil {
		return nil, "", errors.New("not JSON")
	}
	tags := rules.Tags{Raw: text}
	tree, err := tags.Value()
	if err != nil {
		return value, "", nil //nolint:nilerr // What is no object has no transfer id, and is sent as it is.
	}
	aspera, _ := tree["aspera"].(map[string]any)
	transfer, _ := aspera["xfer_id"].(string)
	return value, transfer, nil
}

func simReadTags(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, simMaxTags+1))
	if err != nil {
		return "", err
	}
	if len(text) > simMaxTags {
		return "", fmt.Errorf("%s is larger than %s", name, rules.FormatSize(simMaxTags))
	}
	return string(text), nil
}
