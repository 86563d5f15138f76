package policies

import (
	"fmt"
	"time"

	"github.com/sluiceproject/sluice/policies/document"
	"github.com/sluiceproject/sluice/rules"
)

// Client is a program that may ask for tokens.
type Client struct {
	// Name is the user of HTTP Basic, unique in the set; File is where the client
	// is written.
	Name, File string
	// PasswordHash is an argon2id hash in PHC form or a bcrypt hash, of bounded
	// cost. It is left out when a client is encoded or printed.
	PasswordHash string `json:"-"`
	// TransferUser is the transfer account that the tokens are for.
	TransferUser string
	// Upload and Download are globs of the paths for which tokens are given. One
	// of them can be empty: nothing may be done then.
	Upload, Download []string
	// MaxLife is how long a token may be valid at most: above 0, up to 720 hours.
	MaxLife time.Duration
}

// String returns the client's name, so that nothing secret is printed.
func (c *Client) String() string { return c.Name }

// GoString returns the client's name in quotes, for %#v.
func (c *Client) GoString() string { return fmt.Sprintf("%q", c.Name) }

// compileClients compiles a document of clients. Values are read from the tree,
// one by one, so that those that are well formed are looked at even where
// others are not.
func (c *compiler) compileClients(doc *document.Document) compiled {
	wrong, at := doc.CheckParts(c.clientsSchema())
	all := compiled{isClients: true, faults: discreetParts(doc, wrong, at)}
	tree, _ := doc.Tree.(map[string]any)
	list, _ := tree["clients"].([]any)
	malformed := around(at)
	for i := range list {
		written, _ := list[i].(map[string]any)
		if written == nil {
			continue
		}
		part := fmt.Sprintf("/clients/%d", i)
		client, faults := compileClient(doc, part, written)
		if written["upload"] == nil && written["download"] == nil && !malformed[part] {
			faults = append(faults, doc.At(part, "the client may do nothing").WithHint("give it upload or download"))
		}
		all.clients = append(all.clients, client)
		all.named = append(all.named, doc.At(part+"/name", "").WithHint("names are unique in a set"))
		all.faults = append(all.faults, faults...)
	}
	all.faults, all.named = withoutSource(all.faults), withoutSource(all.named)
	return all
}

// compileClient reads one client. It passes over what the schema has refused.
func compileClient(doc *document.Document, part string, written map[string]any) (*Client, document.Faults) {
	var faults document.Faults
	text := func(key string) string { s, _ := written[key].(string); return s }
	globs := func(key string) (globs []string) {
		list, _ := written[key].([]any)
		for i := range list {
			glob, _ := list[i].(string)
			if glob == "" {
				continue
			}
			if err := rules.CheckPathGlob(glob); err != nil {
				faults = append(faults, doc.At(fmt.Sprintf("%s/%s/%d", part, key, i), "%s", err))
			}
			globs = append(globs, glob)
		}
		return globs
	}
	client := &Client{
		Name: text("name"), File: doc.Name, PasswordHash: text("password_hash"), TransferUser: text("transfer_user"),
		Upload: globs("upload"), Download: globs("download"),
	}
	if client.PasswordHash != "" {
		if message, hint := checkHash(client.PasswordHash); message != "" {
			faults = append(faults, doc.At(part+"/password_hash", "%s", message).WithHint(hint))
		}
	}
	if life := text("max_life"); life != "" {
		var err error
		if client.MaxLife, err = rules.ParseLife(life); err != nil {
			faults = append(faults, mistaken(doc, part+"/max_life", err))
		}
	}
	return client, faults
}

// duplicateClients reports clients that share a name.
func duplicateClients(all []compiled) (faults document.Faults) {
	first := map[string]*Client{}
	for _, c := range all {
		for i, client := range c.clients {
			switch other := first[client.Name]; {
			case client.Name == "":
			case other == nil:
				first[client.Name] = client
			default:
				fault := c.named[i]
				fault.Message = fmt.Sprintf("the client %s is also in %s", client.Name, other.File)
				faults = append(faults, fault)
			}
		}
	}
	return faults
}
