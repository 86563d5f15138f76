package main

// tokenCmd is `sluice token`: what a portal, and whoever looks for a mistake,
// does with tokens.
type tokenCmd struct {
	Request tokenRequestCmd `cmd:"" help:"Ask a token endpoint, or a node, for a transfer token."`
	Decode  tokenDecodeCmd  `cmd:"" help:"Show what a token says."`
	Verify  tokenVerifyCmd  `cmd:"" help:"Say whether a token's grant covers a file."`
}

// Help returns the long text of --help.
func (tokenCmd) Help() string {
	return `In the place of astokengen:

  astokengen --mode=send -u xfer --dest=/in        sluice token request … --upload /in
  astokengen --mode=recv -u xfer -p /out/a.mov     sluice token request … --download /out/a.mov
  astokengen -t TOKEN                              sluice token decode TOKEN
  astokengen … -v TOKEN                            sluice token verify TOKEN …

The transfer user is not asked for: it is that of the client, or node user, as
whom the token is asked for.`
}
