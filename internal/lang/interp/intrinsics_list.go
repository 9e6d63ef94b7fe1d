package interp

import (
	"towpath.dev/internal/abi"
)

func listAt(in *invocation) (Value, error) {
	elems, i := in.list(0).elems, in.int(1)
	if i < 0 || i >= int64(len(elems)) {
		return nil, refuse(abi.BadArgument, "there is no element %d in a list of %d", i, len(elems))
	}
	return elems[i], nil
}

func listSlice(in *invocation) (Value, error) {
	l := in.list(0)
	begin, end := clampRange(in.int(1), in.int(2), l.Len())
	return l.Slice(begin, end), nil
}

// clampRange brings a range within 0 to n; one that ends before it begins is
// empty.
func clampRange(from, to int64, n int) (begin, end int) {
	begin = int(min(max(from, 0), int64(n)))
	end = int(min(max(to, 0), int64(n)))
	return begin, max(begin, end)
}

func listConcat(in *invocation) (Value, error) {
	first, second := in.list(0), in.list(1)
	if err := in.elements(second.Len()); err != nil {
		return nil, err
	}
	switch {
	case second.Len() == 0:
		return first, nil
	case first.Len() == 0:
		return second, nil
	}
	return first.Append(second.elems...), nil
}

func listRange(in *invocation) (Value, error) {
	from, to := in.int(0), in.int(1)
	if to <= from {
		return List{}, nil
	}
	n := to - from
	if n < 0 { // more than an Int counts, and than any limit
		n = 1 << 62
	}
	if err := in.m.charge(n, in.at); err != nil {
		return nil, err
	}
	elems := make([]Value, n)
	for i := range elems {
		elems[i] = from + int64(i)
	}
	return NewList(elems...), nil
}

func listMap(in *invocation) (Value, error) {
	elems := in.list(0).elems
	out := make([]Value, len(elems))
	err := in.each(len(elems), in.args[1], func(i int, call caller) error {
		v, err := call(elems[i])
		out[i] = v
		return err
	})
	return NewList(out...), err
}

func listFilter(in *invocation) (Value, error) {
	var out []Value
	elems := in.list(0).elems
	err := in.each(len(elems), in.args[1], func(i int, call caller) error {
		keep, err := call(elems[i])
		if err == nil && keep.(bool) {
			out = append(out, elems[i])
		}
		return err
	})
	return NewList(out...), err
}

func listFold(in *invocation) (Value, error) {
	elems, acc := in.list(0).elems, in.args[1]
	err := in.each(len(elems), in.args[2], func(i int, call caller) error {
		v, err := call(acc, elems[i])
		acc = v
		return err
	})
	return acc, err
}

func orderSign(in *invocation) (Value, error) {
	order, err := in.m.comparer(in.at).order(in.m.shape(in.typeArg(0)), in.args[0], in.args[1], -1)
	return int64(order), err
}
