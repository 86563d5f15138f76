package policies

import "fmt"

// clientsFrame is the JSON Schema of a document of clients. %s says that a
// client may do something.
const clientsFrame = `{
"$schema": "http://json-schema.org/draft-07/schema#",
"title": "sluice clients",
"description": "Who may ask for tokens, version 1 of the language.",
"type": "object", "additionalProperties": false, "required": ["version", "clients"],
"properties": {
	"version": {"const": 1, "description": "The version of the policy language: 1."},
	"clients": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/client"},
		"description": "Programs, such as a portal, that may ask for tokens. Each request is decided by the policies of the set as well.",
		"examples": [[{"name": "portal", "password_hash": "` + exampleHash + `", "transfer_user": "xfer", "upload": ["/ingest/**"], "max_life": "8h"}]]}
},
"definitions": {
	"client": {"type": "object", "additionalProperties": false, "required": ["name", "password_hash", "transfer_user", "max_life"],
		"description": "A program that may ask for tokens, and for what.",%s
		"properties": {
			"name": {"type": "string", "pattern": "` + namePattern + `", "description": "The user of HTTP Basic, unique in the set: up to 64 letters, digits, dots, dashes and underscores.", "examples": ["portal"]},
			"password_hash": {"type": "string", "minLength": 1, "description": "A hash of the password, in quotes: argon2id ($argon2id$v=19$…) or bcrypt ($2y$…). Never the password itself.", "examples": ["` + exampleHash + `", "$2y$12$` + exampleBcrypt + `"]},
			"transfer_user": {"type": "string", "minLength": 1, "description": "The transfer account that the tokens are for.", "examples": ["xfer"]},
			"upload": {` + texts + `, "description": "Where files may be put: globs of paths inside the docroot. Without it nothing may be uploaded.", "examples": [["/ingest/**"]]},
			"download": {` + texts + `, "description": "What may be fetched: globs of paths inside the docroot. Without it nothing may be downloaded.", "examples": [["/outgoing/**"]]},
			"max_life": {"type": "string", "minLength": 1, "description": "How long a token may be valid at most, such as 30m or 8h, up to 720h.", "examples": ["8h"]}
		}}
}}`

// Hashes of nobody's password, for the schema's examples.
const (
	exampleHash   = "$argon2id$v=19$m=65536,t=3,p=4$c29tZSBzYWx0$Zm9yIHRoZSBzY2hlbWEncyBleGFtcGxlIG9ubHkuLi4"
	exampleBcrypt = "JqV3bBhbqbC4iYrO0L9V0e5l4L4K0m8b1q2w3e4r5t6y7u8i9o0pa"
)

// ClientsSchema returns the JSON Schema (draft-07) of a document of clients,
// indented, its keys in the order in which a person writes them. It is the one
// by which clients are loaded, and says beside that that a client may upload or
// download something, which the compiler looks at itself.
func ClientsSchema() string {
	return indented(fmt.Sprintf(clientsFrame, `"anyOf": [{"required": ["upload"]}, {"required": ["download"]}],`))
}
