package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/sluiceproject/sluice/rules"
)

// event makes the event of a number: an upload or a download of one of many
// partners, most of which the shipped policies accept.
func event(i int) *rules.Event {
	random := rand.New(rand.NewPCG(uint64(i), 1))
	one := func(words ...string) string { return words[random.IntN(len(words))] }
	e := &rules.Event{
		Received: time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 2 * time.Second),
		Phase:    [...]rules.Phase{rules.PhaseStart, rules.PhaseRunning, rules.PhaseStop}[random.IntN(3)], Direction: rules.Upload,
		SessionID: fmt.Sprintf("session-%d", i/10), TransferID: fmt.Sprintf("transfer-%d", i/100), Host: "hst-eu-1", UserID: "1004",
		User: fmt.Sprintf("partner-%d", random.IntN(500)), ClientIP: fmt.Sprintf("203.0.113.%d", random.IntN(256)),
		Cookie: "aspera.portal:u:5a1b", TargetRateKbps: rules.Known(300_000), MinRateKbps: rules.Known(0), RatePolicy: "fair", Cipher: one("aes-128", "aes-256", "aes-256", "none"),
		Size: rules.Known(random.Int64N(600 << 30)), StartByte: rules.Known(0), BytesWritten: rules.Known(1 << 20), FileNameEncoding: "utf8",
		ChecksumType: "sha-256", Checksum: fmt.Sprintf("%064x", random.Uint64()),
		Tags: rules.Tags{Raw: fmt.Sprintf(`{"aspera":{"xfer_id":"transfer-%d","faspex":{"metadata":{"title":"Episode %d","project":"P-%04d"}}},"project":"P-%04d"}`, i/100, i, i%5000, i%5000)},
	}
	e.ClientAddr = netip.MustParseAddr(e.ClientIP)
	folder := "/ingest/film"
	if random.IntN(5) == 0 {
		e.Direction, folder = rules.Download, "/outgoing"
	}
	e.File = rules.ParsePath(fmt.Sprintf("%s/reel-%d/clip-%07d.%s", folder, i%50, i, one("mov", "mov", "mov", "mxf", "mxf", "mp4", "exe", "txt")))
	e.ID = rules.NewID(e.Received, [10]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)})
	return e
}
