package auth

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

const (
	secretMin  = 32   // bytes, RFC 7518 section 3.2: a key as long as the hash
	rsaBitsMin = 2048 // RFC 7518 section 3.3
)

// loadKeys returns the verification key of each algorithm, or all that is
// wrong with them.
func loadKeys(o JWTOptions) (map[string]any, error) {
	keys := map[string]any{}
	var problems []error
	add := func(alg string, material []byte, parse func([]byte) (any, error)) {
		if len(material) == 0 {
			return
		}
		key, err := parse(material)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s key: %w", alg, err))
			return
		}
		keys[alg] = key
	}
	add("HS256", o.HS256Secret, parseSecret)
	add("EdDSA", o.Ed25519PEM, parseEd25519)
	add("RS256", o.RS256PEM, parseRSA)
	if len(problems) == 0 && len(keys) == 0 {
		problems = append(problems, errors.New(
			"no key: give one of auth.jwt.hs256_secret_file, auth.jwt.ed25519_public_key_file, auth.jwt.rs256_public_key_file"))
	}
	return keys, errors.Join(problems...)
}

func parseSecret(b []byte) (any, error) {
	if bytes.Contains(b, []byte("-----BEGIN")) {
		return nil, errors.New("the file holds PEM, not a shared secret: name a public key by its own setting")
	}
	b = bytes.TrimRight(b, "\r\n")
	if len(b) < secretMin {
		return nil, fmt.Errorf("%d bytes, at least %d are needed: openssl rand -hex 32", len(b), secretMin)
	}
	return bytes.Clone(b), nil
}

func parseEd25519(b []byte) (any, error) {
	key, err := parsePublic(b)
	if err != nil {
		return nil, err
	}
	if k, ok := key.(ed25519.PublicKey); ok {
		return k, nil
	}
	return nil, fmt.Errorf("it is a %T, not an Ed25519 key", key)
}

func parseRSA(b []byte) (any, error) {
	key, err := parsePublic(b)
	if err != nil {
		return nil, err
	}
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T, not an RSA key", key)
	}
	if k.N.BitLen() < rsaBitsMin {
		return nil, fmt.Errorf("%d bits, at least %d are needed", k.N.BitLen(), rsaBitsMin)
	}
	return k, nil
}

func parsePublic(b []byte) (any, error) {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New("no PEM block in the file: openssl pkey -in KEY -pubout")
	}
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	}
	return nil, fmt.Errorf("the PEM block is a %s: give the public key, openssl pkey -in KEY -pubout", block.Type)
}
