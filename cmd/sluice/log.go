package main

import (
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The log is written in blocks: a line waits for others at most logDelay.
const (
	logBlock = 64 << 10
	logDelay = 250 * time.Millisecond
)

// log is where everything that is not an answer goes: zap's lines, and those of
// decisions between them.
type log struct {
	*zap.Logger
	lines zapcore.WriteSyncer
	// flush writes out the rest at the end.
	flush func()
}

// unsynced hides a file's Sync: the buffer would call it at every flush, and
// every event would wait for the disk.
type unsynced struct{ io.Writer }

// newLog returns a log of JSON lines.
func newLog(to io.Writer) log {
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	encoding.TimeKey = "time"
	blocks := &zapcore.BufferedWriteSyncer{WS: zapcore.AddSync(unsynced{to}), Size: logBlock, FlushInterval: logDelay}
	return log{
		Logger: zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(encoding), blocks, zap.InfoLevel)),
		lines:  blocks,
		flush:  func() { _ = blocks.Stop() }, // Nobody is left to tell.
	}
}
