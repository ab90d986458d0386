package main

import (
	"encoding/binary"
	"hash/crc32"
)

// withResolution writes 300 dots an inch into a PNG, so that it prints at the size of its sheet. The encoder leaves the
// chunk out; it belongs after the header, which is 33 bytes long in every PNG.
func withResolution(png []byte) []byte {
	const header, dotsPerMetre = 33, 11811
	chunk := []byte("pHYs")
	chunk = binary.BigEndian.AppendUint32(chunk, dotsPerMetre)
	chunk = binary.BigEndian.AppendUint32(chunk, dotsPerMetre)
	chunk = append(chunk, 1) // the unit is the metre
	full := binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4))
	full = append(full, chunk...)
	full = binary.BigEndian.AppendUint32(full, crc32.ChecksumIEEE(chunk))
	return append(append(append([]byte(nil), png[:header]...), full...), png[header:]...)
}
