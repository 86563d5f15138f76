package rules

import "strings"

// ShownCookie returns what a cookie says of the application that started a
// transfer, and nothing else: the rest names people and can carry secrets. Whatever
// else it is, it is "…".
//
//	aspera.faspex20:u:2fb0…  →  aspera.faspex20
func (e *Event) ShownCookie() string {
	cookie := e.Cookie
	if cookie == "" {
		return ""
	}
	app, _, found := strings.Cut(cookie, ":")
	if !found || len(app) > 32 || !strings.HasPrefix(app, "aspera.") {
		return "…"
	}
	for i := range len(app) {
		if c := app[i]; c != '.' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "…"
		}
	}
	return app
}
