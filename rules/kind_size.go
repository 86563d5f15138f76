package rules

import (
	"context"
	"encoding/json"
	"math"
)

func sizeKind() Kind {
	return Kind{
		Name: "size",
		Doc:  "the file is smaller than `min` or larger than `max`; judged again when it stops, because a growing file is larger then",
		Schema: `{
	"type": "object", "additionalProperties": false, "minProperties": 1, "examples": [{"max": "500 GiB"}],
	"properties": {
		"min": {"type": ["integer", "string"], "description": "The smallest size that is accepted, in bytes or with a unit: B, KB, MB, GB, TB, KiB, MiB, GiB, TiB.", "examples": ["1 B"]},
		"max": {"type": ["integer", "string"], "description": "The largest size that is accepted, in bytes or with a unit.", "examples": ["500 GiB"]}
	}
}`,
		Phases:       TransferPhases,
		Late:         "a token request does not say how large the files are",
		NeedsFile:    true,
		Reads:        "size",
		Fields:       []string{},
		Code:         "1023",
		Placeholders: []string{"found", "min", "max"},
		Saw: func(e *Event) string {
			if !e.Size.Known {
				return ""
			}
			return FormatSize(e.Size.Value)
		},
		Compile: compileSize,
	}
}

func compileSize(_ Env, dec Decoder) (Compiled, error) {
	var spec struct {
		Min json.RawMessage `json:"min"`
		Max json.RawMessage `json:"max"`
	}
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	low := sizeAt("/min", spec.Min, 0, &wrong)
	high := sizeAt("/max", spec.Max, math.MaxInt64, &wrong)
	if len(wrong) == 0 && low > high {
		wrong.add(At("/min", "min (%s) is larger than max (%s), so no file could pass", FormatSizeBeside(low, high), FormatSize(high)))
	}
	values := map[string]string{"min": FormatSize(low), "max": FormatSize(high)}
	small := builtinMessage("{name} has {found}, less than the {min} that are asked for here.")
	large := builtinMessage("{name} has {found}, more than the {max} that are allowed here.")
	return Compiled{Values: values, Reach: limits{low, high}, Check: func(_ context.Context, e *Event) (*Objection, error) {
		size, err := sizeSoFar(e)
		switch {
		case err != nil:
			return nil, err
		case size > high:
			return &Objection{Message: large, Found: FormatSizeBeside(size, high)}, nil
		case size < low:
			return &Objection{Message: small, Found: FormatSizeBeside(size, low)}, nil
		default:
			return nil, nil
		}
	}}, wrong.err()
}

// sizeSoFar is the larger of the announced size and of how far the transfer has
// come: the first is too small for a file that grew.
func sizeSoFar(e *Event) (int64, error) {
	if !e.Size.Known {
		return 0, MissingError{"size"}
	}
	if e.BytesWritten.Known {
		return max(e.Size.Value, e.BytesWritten.Value), nil
	}
	return e.Size.Value, nil
}

// sizeAt reads a size that is a number of bytes or a text with a unit.
func sizeAt(at string, raw json.RawMessage, absent int64, wrong *mistakes) int64 {
	if len(raw) == 0 {
		return absent
	}
	n, err := ParseSizeJSON(raw)
	if err != nil {
		wrong.add(placed(at, err))
	}
	return n
}
