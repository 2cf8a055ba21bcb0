package auth

import (
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// BenchmarkVerify is what a connect costs its loop.
func BenchmarkVerify(b *testing.B) {
	k := newBench(b)
	v := k.verifier(b, k.options())
	f := func(m jwt.SigningMethod, key any) {
		token := k.sign(b, m, key, k.good(nil))
		b.Run(m.Alg(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	f(jwt.SigningMethodHS256, k.secret)
	f(jwt.SigningMethodEdDSA, k.edKey)
	f(jwt.SigningMethodRS256, k.rsaKey)
}
