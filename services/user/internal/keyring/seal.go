package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"fmt"
	"io"
)

// Seal encrypts secrets at rest by AES-256-GCM, each bound to its name: a
// private key to its key id. Safe for concurrent use.
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

// Close encrypts under a nonce from random.
func (s *Seal) Close(name string, plain []byte, random io.Reader) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return s.aead.Seal(nonce, nonce, plain, []byte(name)), nil
}

// Open decrypts what was closed under the same name.
func (s *Seal) Open(name string, sealed []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, fmt.Errorf("%s: sealed text too short", name)
	}
	plain, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(name))
	if err != nil {
		return nil, fmt.Errorf("%s can't be opened: is user-signing-key-kek another one?", name)
	}
	return plain, nil
}

func (s *Seal) openKey(k Key) (ed25519.PrivateKey, error) {
	seed, err := s.Open(k.ID, k.Sealed)
	if err != nil {
		return nil, fmt.Errorf("signing key %w", err)
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("signing key %s: got %d bytes, want %d", k.ID, len(seed), ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
