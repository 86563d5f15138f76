package rules

import (
	"context"
	"encoding/binary"
	"fmt"
	mathbits "math/bits"
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
		Fields:       []string{"client_ip"},
		Code:         "1026",
		Placeholders: []string{"found"},
		Saw:          func(e *Event) string { return e.ClientIP },
		Compile:      compileNetwork,
	}
}

// ParsePrefix reads an address or a CIDR range as policies write them. The
// error is a *SpecError and says what was probably meant.
func ParsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, notRange(text)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, notRange(text)
	}
	if prefix.Addr().Is4In6() {
		meant := "203.0.113.0/24"
		if prefix.Bits() >= 96 {
			meant = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96).Masked().String()
		}
		return netip.Prefix{}, At("", "%q: write the IPv4 range itself, such as %s", text, meant)
	}
	if masked := prefix.Masked(); masked != prefix {
		return netip.Prefix{}, At("", "%q has bits set behind its length", text).WithHint("did you mean %q or %q?", masked, prefix.Addr())
	}
	return prefix, nil
}

func notRange(text string) error {
	return At("", "%q is not an address or range such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32", text).WithHint("%s", rangeHint(text))
}

// rangeHint says what was probably meant by a range in the notation of another
// system: with blanks, stars or a netmask.
func rangeHint(text string) string {
	bare := strings.Join(strings.Fields(text), "")
	address, mask, masked := strings.Cut(bare, "/")
	if m, err := netip.ParseAddr(mask); masked && err == nil && m.Is4() {
		bits := binary.BigEndian.Uint32(m.AsSlice())
		if length := mathbits.LeadingZeros32(^bits); bits == ^uint32(0)<<(32-length) {
			bare = fmt.Sprintf("%s/%d", address, length)
		}
	}
	if numbers := strings.TrimRight(strings.ReplaceAll(bare, "*", ""), "."); strings.HasSuffix(bare, ".*") && strings.Count(numbers, ".") < 3 {
		known := strings.Count(numbers, ".") + 1
		bare = fmt.Sprintf("%s/%d", numbers+strings.Repeat(".0", 4-known), 8*known)
	}
	if prefix, err := netip.ParsePrefix(bare); err == nil && bare != text {
		return fmt.Sprintf("did you mean %q?", prefix.Masked())
	}
	if first, last, found := strings.Cut(bare, "-"); found && first != "" && last != "" {
		return "write a range as its beginning and its length, as in 203.0.113.0/24"
	}
	return ""
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
