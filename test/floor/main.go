// Command floor is the least that a file validation service on echo can do: it
// reads the body of a request and answers 200. Benchmarks compare sluice with
// it. Its HTTP server has the settings of sluice's own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"

	"github.com/sluiceproject/sluice/validator"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8081", "address on which to answer")
	flag.Parse()
	if err := serve(*listen); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintf(os.Stderr, "floor: %s\n", err)
		os.Exit(1)
	}
}

func serve(address string) error {
	e := echo.New()
	e.Any("/*", accept)
	limits := validator.DefaultLimits()
	server := &http.Server{
		Addr: address, Handler: e,
		ReadHeaderTimeout: limits.HeaderTime, ReadTimeout: limits.ReadTime, IdleTimeout: limits.IdleTime,
		MaxHeaderBytes: limits.Header,
	}
	return server.ListenAndServe()
}

func accept(c echo.Context) error {
	if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}
