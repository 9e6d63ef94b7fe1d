package interp

import (
	"strings"
	"unicode/utf8"

	"towpath.dev/internal/abi"
	"towpath.dev/internal/native"
)

// ofText makes an intrinsic of a function of a text, which pays for reading it.
func ofText(f func(s string) Value) intrinsic {
	return func(in *invocation) (Value, error) {
		if err := in.bytes(len(in.str(0))); err != nil {
			return nil, err
		}
		return f(in.str(0)), nil
	}
}

// ofTextOr is ofText for functions that refuse some texts.
func ofTextOr(why string, f func(s string) (Value, bool)) intrinsic {
	return func(in *invocation) (Value, error) {
		if err := in.bytes(len(in.str(0))); err != nil {
			return nil, err
		}
		v, ok := f(in.str(0))
		if !ok {
			return nil, refuse(abi.BadArgument, "%s is %s", quote(in.str(0)), why)
		}
		return v, nil
	}
}

// characters counts the bytes that begin a character; texts cut within one are
// counted too.
func characters(s string) int {
	n := 0
	for i := range len(s) {
		if utf8.RuneStart(s[i]) {
			n++
		}
	}
	return n
}

func stringByteAt(in *invocation) (Value, error) {
	s, i := in.str(0), in.int(1)
	if i < 0 || i >= int64(len(s)) {
		return nil, refuse(abi.BadArgument, "there is no byte %d in a text of %d", i, len(s))
	}
	return int64(s[i]), nil
}

func stringSliceBytes(in *invocation) (Value, error) {
	s := in.str(0)
	begin, end := clampRange(in.int(1), in.int(2), len(s))
	return s[begin:end], nil
}

func stringOffset(in *invocation) (Value, error) {
	s, index := in.str(0), in.int(1)
	if err := in.bytes(len(s)); err != nil {
		return nil, err
	}
	if index <= 0 {
		return int64(0), nil
	}
	for i := range len(s) {
		if !utf8.RuneStart(s[i]) {
			continue
		}
		if index == 0 {
			return int64(i), nil
		}
		index--
	}
	return int64(len(s)), nil
}

func stringFind(in *invocation) (Value, error) {
	s := in.str(0)
	if err := in.bytes(len(s)); err != nil {
		return nil, err
	}
	return native.Find(s, in.str(1), in.int(2)), nil
}

func stringConcat(in *invocation) (Value, error) {
	parts := in.list(0).elems
	if err := in.elements(len(parts)); err != nil {
		return nil, err
	}
	size := 0
	for _, p := range parts {
		size += len(p.(string))
	}
	if err := in.bytes(size); err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.(string))
	}
	return b.String(), nil
}

// jsonEnd finds the end of a value within compact JSON; it reads that value.
func jsonEnd(in *invocation) (Value, error) {
	s, from := in.str(0), in.int(1)
	end, ok := native.JSONEnd(s, from)
	if !ok {
		return nil, refuse(abi.BadArgument, "no value starts at byte %d of a text of %d", from, len(s))
	}
	if err := in.bytes(int(end - from)); err != nil {
		return nil, err
	}
	return end, nil
}

func randomBits(in *invocation) (Value, error) {
	key := in.str(0)
	if err := in.bytes(len(key)); err != nil {
		return nil, err
	}
	return native.RandomBits(in.m.opts.Seed, key, in.int(1)), nil
}
