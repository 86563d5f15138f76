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

// newLog returns a logger that writes JSON lines, and what writes out the rest
// of them at the end.
func newLog(to io.Writer) (log *zap.Logger, flush func()) {
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	encoding.TimeKey = "time"
	blocks := &zapcore.BufferedWriteSyncer{WS: zapcore.AddSync(to), Size: logBlock, FlushInterval: logDelay}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(encoding), blocks, zap.InfoLevel)
	return zap.New(core), func() { _ = blocks.Stop() } // Nobody is left to tell.
}
