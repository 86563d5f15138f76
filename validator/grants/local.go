package grants

import "context"

// Local is the issuer that works with no Aspera server present: its token is the
// signed grant. Whatever verifies transfer tokens itself, as ascp does where it is
// configured to, does not know it.
type Local struct {
	transfer TransferOptions
}

// NewLocal returns the issuer local. The error says which option is wrong.
func NewLocal(transfer TransferOptions) (*Local, error) {
	if err := transfer.check(); err != nil {
		return nil, err
	}
	return &Local{transfer: transfer}, nil
}

// Name implements Issuer.
func (*Local) Name() string { return "local" }

// Issue implements Issuer. It fails for nobody.
func (l *Local) Issue(_ context.Context, call Call) ([]Answer, error) {
	answers := make([]Answer, len(call.Requests))
	for i := range call.Requests {
		r := &call.Requests[i]
		answers[i].Spec = l.transfer.spec(r, r.Signed)
	}
	return answers, nil
}
