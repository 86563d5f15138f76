package journal

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// globMeta are the characters that mean something in a glob.
const globMeta = `*?[]{}\`

// plain reports whether every program writes a text in JSON as it stands.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || strings.IndexByte(`"\<>&'/`, c) >= 0 {
			return false
		}
	}
	return true
}

// longest returns the longest plain part of a glob that stands for itself: nothing
// if there is a class, a brace or an escape, behind which one cannot be sure.
func longest(glob, separators string) string {
	if strings.ContainsAny(glob, `[]{}\`) {
		return ""
	}
	most := ""
	for _, part := range strings.FieldsFunc(glob, func(c rune) bool { return strings.ContainsRune(separators, c) }) {
		if len(part) > len(most) && plain(part) {
			most = part
		}
	}
	return most
}

// maxNeedles is how many texts a line is searched for one by one.
const maxNeedles = 16

// anyOf returns a test whether a line has the needle of any of the values; nil if
// there is a value without one, or too many.
func anyOf(values []string, has func(string) string) func([]byte) bool {
	var needles []needle
	for _, value := range values {
		text := has(value)
		if len(text) < 2 || len(needles) == maxNeedles {
			return nil
		}
		needles = append(needles, newNeedle(text))
	}
	return func(line []byte) bool {
		for _, n := range needles {
			if _, found := n.behind(line); found {
				return true
			}
		}
		return false
	}
}

// addressTest is the test of the client's address.
func addressTest(texts []string) (*test, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	var wrong []error
	var networks []netip.Prefix
	single := true
	for _, text := range texts {
		p, err := parseNetwork(text)
		if err != nil {
			wrong = append(wrong, &QueryError{"client_ip", err.Error()})
			continue
		}
		networks = append(networks, p)
		single = single && p.IsSingleIP()
	}
	has := func(text string) bool {
		a, err := parseAddress(text)
		return err == nil && slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	in := newReaders()
	return &test{
		segment: func(x *Index) bool {
			return !single || slices.ContainsFunc(networks, func(p netip.Prefix) bool { return mayHaveAddress(x, p.Addr()) })
		},
		line: func(line []byte) bool {
			text, there, sure := in.clientIP.member(line)
			return there && (!sure || has(string(text)))
		},
		record: func(r *Record) bool { return has(r.event().ClientIP) },
	}, errors.Join(wrong...)
}

// mayHaveAddress asks an index for an address, which it has in one spelling.
func mayHaveAddress(x *Index, a netip.Addr) bool { return x.May("client_ip", a.String()) }

// parseNetwork reads an address or a network. An IPv4 address in IPv6 is the
// former.
func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is neither an address nor a network such as 203.0.113.0/24 or 2001:db8::/32", rules.Printable(rules.Shorten(text, 64)))
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}
