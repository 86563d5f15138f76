package rules

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"
)

func networkKind() Kind {
	return Kind{
		Name:         "network",
		Doc:          "the client's address is not in `allow` or is in `deny` (addresses and CIDR ranges)",
		Schema:       fmt.Sprintf(allowDenySchema, "clients in one of these addresses or ranges", `"203.0.113.0/24", "2001:db8::/32"`, "Clients in one of these addresses or ranges", ""),
		Phases:       TransferPhases,
		Late:         "a token is asked for by the portal, so the client's address is not known yet",
		Reads:        "client_ip",
		Code:         "1026",
		Placeholders: []string{"found"},
		Saw:          func(e *Event) string { return e.ClientIP },
		Compile:      compileNetwork,
	}
}

// ParsePrefix reads an address or a CIDR range as policies write them. The
// error says what was probably meant.
func ParsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is not an address or range such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32", text)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address or range such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32", text)
	}
	if prefix.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q: write the IPv4 range itself, such as 203.0.113.0/24", text)
	}
	if masked := prefix.Masked(); masked != prefix {
		return netip.Prefix{}, fmt.Errorf("%q has bits set behind its length; did you mean %q or %q?", text, masked, prefix.Addr())
	}
	return prefix, nil
}

func compileNetwork(_ Env, dec Decoder) (Compiled, error) {
	var spec allowDeny
	if err := dec.Decode(&spec); err != nil {
		return Compiled{}, err
	}
	var wrong mistakes
	var allow, deny bart.Lite
	spec.each(func(at, text string) {
		prefix, err := ParsePrefix(text)
		if err != nil {
			wrong.add(placed(at, err))
			return
		}
		if strings.HasPrefix(at, "/deny") {
			deny.Insert(prefix)
		} else {
			allow.Insert(prefix)
		}
	})
	refused := builtinMessage("Transfers from your address, {found}, are not allowed here. Use an approved network.")
	return Compiled{Reach: networkReach{spec.Allow != nil, &allow, &deny}, Check: func(_ context.Context, e *Event) (*Objection, error) {
		if !e.ClientAddr.IsValid() {
			return nil, MissingError{"client_ip"}
		}
		if deny.Contains(e.ClientAddr) || spec.Allow != nil && !allow.Contains(e.ClientAddr) {
			return &Objection{Message: refused, Found: e.ClientIP}, nil
		}
		return nil, nil
	}}, wrong.err()
}
