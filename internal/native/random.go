package native

// golden is 2^64 divided by the golden ratio, made odd.
const golden = 0x9E3779B97F4A7C15

// Hash is 64 bits that depend on the text alone, in every version.
func Hash(text string) int64 { return int64(mix(fnv(text))) }

// RandomBits is 64 bits that depend on the request's seed, the key and the
// index: element index of a SplitMix64 generator (Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", OOPSLA 2014) that starts from the
// seed and the key.
func RandomBits(seed int64, key string, index int64) int64 {
	state := mix(mix(uint64(seed)) ^ fnv(key))
	return int64(mix(state + (uint64(index)+1)*golden))
}

// mix is SplitMix64's finaliser, a bijection.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// fnv is FNV-1a of 64 bits.
func fnv(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}
