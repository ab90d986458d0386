package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"fmt"
	"io"
)

// Seal encrypts private keys at rest by AES-256-GCM, bound to their key id.
type Seal struct{ aead cipher.AEAD }

// NewSeal takes the 32-byte key of the secret store.
func NewSeal(key []byte) (*Seal, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("key-encryption key: got %d bytes, want 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key-encryption key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("key-encryption key: %w", err)
	}
	return &Seal{aead}, nil
}

func (s *Seal) close(id string, seed []byte, random io.Reader) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("seal signing key: %w", err)
	}
	return s.aead.Seal(nonce, nonce, seed, []byte(id)), nil
}

func (s *Seal) open(k Key) (ed25519.PrivateKey, error) {
	n := s.aead.NonceSize()
	if len(k.Sealed) < n {
		return nil, fmt.Errorf("signing key %s: sealed text too short", k.ID)
	}
	seed, err := s.aead.Open(nil, k.Sealed[:n], k.Sealed[n:], []byte(k.ID))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("signing key %s can't be opened: is user-signing-key-kek another one?", k.ID)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
