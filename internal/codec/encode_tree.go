package codec

import (
	"strconv"

	"towpath.dev/internal/abi"
)

// entries writes a Map or a Set, in ascending order.
func (e *encoder) entries(n *node, root uint32) {
	if !e.enter() {
		return
	}
	open, end := byte('['), byte(']')
	if n.op == opMap && n.key.isName() {
		open, end = '{', '}'
	}
	e.dst = append(e.dst, open)
	index := 0
	e.subtree(n, root, &index, maxTreeDepth)
	e.dst = append(e.dst, end)
	e.depth--
}

// maxTreeDepth is deeper than any balanced tree in four gigabytes.
const maxTreeDepth = 100

func (e *encoder) subtree(n *node, at uint32, index *int, depth int) {
	if depth == 0 || !e.within(n, uint64(at), 4) {
		e.corrupt(n, uint64(at))
		return
	}
	if e.mem.u32(uint(at)) == abi.NodeTip {
		return
	}
	if e.mem.u32(uint(at)) != abi.NodeBin || !e.within(n, uint64(at), n.tree.size) {
		e.corrupt(n, uint64(at))
		return
	}
	if e.subtree(n, e.mem.u32(uint(at+n.tree.left)), index, depth-1); e.err != nil {
		return
	}
	if *index > 0 {
		e.dst = append(e.dst, ',')
	}
	if e.entry(n, at, *index); e.err != nil {
		return
	}
	*index++
	e.subtree(n, e.mem.u32(uint(at+n.tree.right)), index, depth-1)
}

func (e *encoder) entry(n *node, at uint32, index int) {
	if n.op == opSet {
		if e.value(n.elem, e.at(uint(at+n.tree.key), n.elem.wide)); e.err != nil {
			e.inIndex(index)
		}
		return
	}
	key := e.at(uint(at+n.tree.key), n.key.wide)
	value := e.at(uint(at+n.tree.value), n.elem.wide)
	if n.key.isName() {
		start := len(e.dst)
		e.keyName(n.key, key)
		name := string(e.dst[start:])
		e.dst = append(e.dst, ':')
		if e.value(n.elem, value); e.err != nil {
			if s, err := strconv.Unquote(name); err == nil {
				name = s
			}
			e.path = append(e.path, memberPath(name))
		}
		return
	}
	if !e.enter() {
		return
	}
	e.dst = append(e.dst, '[')
	e.value(n.key, key)
	e.dst = append(e.dst, ',')
	e.value(n.elem, value)
	e.dst = append(e.dst, ']')
	e.depth--
	if e.err != nil {
		e.inIndex(index)
	}
}

// keyName writes a key as a member's name: a text in quotes.
func (e *encoder) keyName(n *node, key uint64) {
	if n.op != opInt {
		e.value(n, key)
		return
	}
	e.dst = append(e.dst, '"')
	e.dst = strconv.AppendInt(e.dst, int64(key), 10)
	e.dst = append(e.dst, '"')
}
