package aspera

import (
	"slices"
	"strings"

	"github.com/sluiceproject/sluice/rules"
)

// The options of aspera.conf that are looked at, by the names that asconfigurator
// has for them.
const (
	fileStart      = "validation_file_start"
	fileStop       = "validation_file_stop"
	sessionStart   = "validation_session_start"
	sessionStop    = "validation_session_stop"
	threshold      = "validation_threshold"
	thresholdKB    = "validation_threshold_kb"
	validationURI  = "validation_uri"
	threads        = "validation_threads"
	secure         = "validation_secure"
	transferIn     = "authorization_transfer_in_value"
	transferOut    = "authorization_transfer_out_value"
	tokenKey       = "token_encryption_key"
	tokenKeyFile   = "token_encryption_keyfile"
	tokenDynamic   = "token_dynamic_key"
	docroot        = "absolute"
	restriction    = "file_restriction"
	partialSuffix  = "partial_file_suffix"
	fileChecksum   = "file_checksum"
	udpPort        = "transfer_protocol_options_bind_udp_port"
	precedence     = "precedence"
	group          = "group"
	name           = "name"
	enableHTTP     = "enable_http"
	enableHTTPS    = "enable_https"
	httpPort       = "http_port"
	httpsPort      = "https_port"
	centralPort    = "port"
	luaFileStart   = "lua_file_start_script"
	luaFileStop    = "lua_file_stop_script"
	valueURI       = "uri"
	valueNone      = "none"
	valueToken     = "token"
	valueDeny      = "deny"
	defaultThreads = 5
)

// option returns the name of the option at a path below a section for users, or
// nothing if none is there that matters here.
func option(path string) string {
	switch path {
	case "name":
		return name
	case "group":
		return group
	case "precedence":
		return precedence
	case "authorization/transfer/in/value":
		return transferIn
	case "authorization/transfer/out/value":
		return transferOut
	case "authorization/token/encryption_key":
		return tokenKey
	case "authorization/token/key_file":
		return tokenKeyFile
	case "authorization/token/dynamic_key":
		return tokenDynamic
	case "file_system/access/paths/path/absolute":
		return docroot
	case "file_system/access/paths/path/restrictions/restriction", "file_system/access/file_restrictions/file_restriction", "file_system/file_restriction":
		return restriction
	case "file_system/partial_file_suffix":
		return partialSuffix
	case "file_system/file_checksum":
		return fileChecksum
	case "transfer/protocol_options/bind_udp_port":
		return udpPort
	}
	if leaf, ok := strings.CutPrefix(path, "transfer/"); ok && slices.Contains(transferOptions(), leaf) {
		return leaf
	}
	return ""
}

// transferOptions are the options of a <transfer> that are about validation.
func transferOptions() []string {
	return []string{
		fileStart, fileStop, sessionStart, sessionStop, threshold, thresholdKB, validationURI, threads, secure,
		luaFileStart + "_path", luaFileStart + "_base64", luaFileStop + "_path", luaFileStop + "_base64",
		"lua_session_start_script_path", "lua_session_start_script_base64", "lua_session_stop_script_path",
		"lua_session_stop_script_base64", "lua_session_progress_script_path", "lua_session_progress_script_base64",
	}
}

// validationOptions are those of them that begin with validation_.
func validationOptions() []string {
	return slices.DeleteFunc(transferOptions(), func(o string) bool { return strings.HasPrefix(o, "lua_") })
}

// meant returns the option that an element of an unknown name was probably meant
// to be, and whether it is about validation at all.
func meant(element string) (hint string, about bool) {
	hint = rules.DidYouMean(element, validationOptions())
	return hint, hint != "" || strings.Contains(strings.ToLower(element), "validat")
}

// eventValues are the values that an event's option can have, in any version.
func eventValues(option string) []string {
	values := []string{valueNone, valueURI, "lua_script", "external"}
	if option == fileStop {
		values = append(values, "post_transfer")
	}
	return values
}
