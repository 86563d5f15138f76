package rules

import "github.com/sluiceproject/sluice/rules/scan"

// learn keeps a scanner's answer.
func (s *scanning) learn(l *Look, a scan.Answer, size int64) {
	status := s.pool.Stats().Status
	l.learn(func(f *Facts) {
		f.addScan(ScanFact{
			Scanner: s.name, Engine: status.Engine, Signatures: status.Signatures,
			Found: a.Signature, Inspected: a.Inspected, Total: size,
		})
	})
}

// recall answers as the scanner of this name did.
func (s *scanning) recall(_ *Event, f *Facts) (Finding, error) {
	if found, ok := f.unread(); ok {
		return found, nil
	}
	fact := f.scan(s.name)
	if fact == nil {
		return Finding{}, &UndecidableError{Reason: UndecidableScanner}
	}
	return s.told(scan.Answer{Signature: fact.Found, Inspected: fact.Inspected}, nil, fact.Total), nil
}
