package validator

import (
	"net/netip"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// reading is an event that is being read.
type reading struct {
	// upload is Decoder.UploadIs.
	upload string
	event  *rules.Event
	// fault is what is wrong with the first member that has something wrong.
	fault fault
}

// refuse notes what is wrong with a member. The others are still read, so that
// a log can say whose event it was.
func (r *reading) refuse(reason, what string, at int) {
	if r.fault.reason == "" {
		r.fault = fault{reason, what, at}
	}
}

// members reads what is between the braces of the event, and the closing one.
func (r *reading) members(s *scanner) bool {
	var o object
	for {
		name, more := s.next(&o)
		if !more {
			if s.fault.reason == reasonDuplicate && harmless(name) {
				s.fault.what = "its member " + name + " is given twice"
			}
			return s.fault.reason == ""
		}
		v, ok := s.value(1)
		if !ok {
			return false
		}
		r.member(name, v)
	}
}

// harmless reports whether a message may show a member's name: whatever servers
// send looks like this.
func harmless(name string) bool {
	return name != "" && len(name) <= 24 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// member takes what one member says. Names that are not known are no error:
// rules find them in the event's Raw. Two members have an older name, which
// counts when the newer one says nothing.
func (r *reading) member(name string, v value) {
	e := r.event
	switch name {
	case "startstop":
		r.startStop(v)
	case "direction":
		r.direction(v)
	case "client_ip":
		r.clientIP(v)
	case "file":
		r.file(v)
	case "size":
		r.size(v)
	case "start_byte":
		e.StartByte = whole(v)
	case "bytes_written":
		if n := whole(v); n.Known {
			e.BytesWritten = n
		}
	case "end_byte":
		if !e.BytesWritten.Known {
			e.BytesWritten = whole(v)
		}
	case "target_rate_kbps":
		e.TargetRateKbps = whole(v)
	case "min_rate_kbps":
		e.MinRateKbps = whole(v)
	case "user_id":
		if id := r.text(name, v); id != "" {
			e.UserID = id
		}
	case "userid":
		if id := r.text(name, v); e.UserID == "" {
			e.UserID = id
		}
	case "tags":
		e.Tags.Raw = v.raw
	default:
		if field := textField(e, name); field != nil {
			*field = r.text(name, v)
		}
	}
}

// textField returns the field of the members that are taken as they are, nil
// for a name that is none of theirs.
func textField(e *rules.Event, name string) *string {
	switch name {
	case "session_id":
		return &e.SessionID
	case "xfer_id":
		return &e.TransferID
	case "host":
		return &e.Host
	case "user":
		return &e.User
	case "cookie":
		return &e.Cookie
	case "rate_policy":
		return &e.RatePolicy
	case "cipher":
		return &e.Cipher
	case "manifest_file":
		return &e.ManifestFile
	case "file_name_encoding":
		return &e.FileNameEncoding
	case "file_csum":
		return &e.Checksum
	case "file_csum_type":
		return &e.ChecksumType
	default:
		return nil
	}
}

// text returns what a member says that should be a string: documents disagree
// on some, so a number or a boolean counts as its own text and null as nothing.
func (r *reading) text(name string, v value) string {
	if !v.scalar() {
		r.refuse(reasonType, "its member "+name+" is an object or an array, not a string", v.at)
		return ""
	}
	return v.literal()
}

func (r *reading) startStop(v value) {
	text := ""
	if v.scalar() {
		text = v.literal()
	}
	switch text {
	case "start":
		r.event.Phase = rules.PhaseStart
	case "running":
		r.event.Phase = rules.PhaseRunning
	case "stop":
		r.event.Phase = rules.PhaseStop
	default:
		r.refuse(reasonStartStop, "its member startstop is none of start, running and stop", v.at)
	}
}

func (r *reading) direction(v value) {
	upload := r.upload
	if upload != "send" {
		upload = "recv"
	}
	switch text := r.text("direction", v); text {
	case upload:
		r.event.Direction = rules.Upload
	case "send", "recv":
		r.event.Direction = rules.Download
	}
}

// clientIP keeps the address as text even if it does not parse: then address
// rules cannot tell.
func (r *reading) clientIP(v value) {
	text := r.text("client_ip", v)
	r.event.ClientIP = text
	if addr, err := netip.ParseAddr(text); err == nil {
		r.event.ClientAddr = addr.Unmap()
	}
}

func (r *reading) file(v value) {
	if v.kind != '"' {
		r.refuse(reasonFile, "its member file is not a string", v.at)
		return
	}
	path := v.literal()
	switch {
	case path == "":
		r.refuse(reasonFile, "its member file is empty", v.at)
	case strings.IndexByte(path, 0) >= 0:
		r.refuse(reasonFile, "its member file holds a NUL", v.at)
	default:
		r.event.File = rules.ParsePath(path)
	}
}

// size is stricter than number: a size that is not understood would pass every
// limit.
func (r *reading) size(v value) {
	n := whole(v)
	absent := v.scalar() && v.literal() == ""
	if !absent && !n.Known || n.Value < 0 {
		r.refuse(reasonSize, "its member size is not a whole number from 0 to 9223372036854775807", v.at)
		return
	}
	r.event.Size = n
}
