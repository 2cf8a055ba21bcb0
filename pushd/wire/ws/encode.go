package ws

import (
	"encoding/binary"

	"pushfleet/internal/push"
	"pushfleet/pushd/wire"
)

// Codec implements wire.Codec.
type Codec struct{}

// Opcodes of RFC 6455 section 5.2, and the FIN bit.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA

	fin = 0x80
)

// controlMax bounds the payload of a control frame (section 5.5).
const controlMax = 125

// Head starts one unfragmented text message.
func (Codec) Head(dst []byte, f *wire.Frame) ([]byte, string) {
	dst = appendHeader(dst, opText, wire.DataHeadLen(f)+len(f.Tail))
	return wire.AppendDataHead(dst, f), ""
}

// Control is one text message; its type is in the JSON.
func (Codec) Control(dst []byte, _, _ string, json []byte) []byte {
	return append(appendHeader(dst, opText, len(json)), json...)
}

// Ping is a Ping frame without payload.
func (Codec) Ping(dst []byte) []byte { return append(dst, fin|opPing, 0) }

// AppendPong appends the answer to a Ping; payload is the Ping's, which the
// Decoder has bounded to 125 bytes.
func AppendPong(dst, payload []byte) []byte {
	return append(append(dst, fin|opPong, byte(len(payload))), payload...)
}

// Close is a Close frame with the reason's code and word.
func (Codec) Close(dst []byte, r push.CloseReason) []byte {
	word := r.String()
	dst = append(dst, fin|opClose, byte(2+len(word)))
	dst = binary.BigEndian.AppendUint16(dst, r.Code())
	return append(dst, word...)
}

// AppendCloseCode appends a Close frame with a code only, to echo the client's
// (section 5.5.1). Code 0, from a Close without one, is echoed as no code.
func AppendCloseCode(dst []byte, code uint16) []byte {
	if code == 0 {
		return append(dst, fin|opClose, 0)
	}
	return binary.BigEndian.AppendUint16(append(dst, fin|opClose, 2), code)
}

// appendHeader appends the header of a whole unmasked frame of n bytes, with
// the length in its shortest form.
func appendHeader(dst []byte, op byte, n int) []byte {
	switch {
	case n <= 125:
		return append(dst, fin|op, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, fin|op, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, fin|op, 127), uint64(n))
}
