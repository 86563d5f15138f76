package validator

import "strings"

// redactCookie keeps what a cookie says of the application that started a
// transfer, and nothing else: the rest names people and can carry secrets.
//
//	aspera.faspex20:u:2fb0…  →  aspera.faspex20:…
func redactCookie(cookie string) string {
	if cookie == "" {
		return ""
	}
	app, _, found := strings.Cut(cookie, ":")
	if !found || !strings.HasPrefix(app, "aspera.") || len(app) > 32 || strings.Trim(app, "abcdefghijklmnopqrstuvwxyz0123456789.") != "" {
		return "…"
	}
	return app + ":…"
}
