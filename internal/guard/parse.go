package guard

import "fmt"

// parser is a recursive descent. Negations are carried down to the comparisons
// (a broken "!(drops.10s > 5/s)" then reads "allowed <= 5/s"), so that the tree
// knows only and, or and comparisons.
type parser struct {
	scanner
	uses map[string]int
}

// expression reads operands joined by ||.
func (p *parser) expression(depth int, negated bool) (node, error) {
	return p.joined(tokOr, negated, func() (node, error) { return p.conjunction(depth, negated) })
}

// conjunction reads operands joined by &&.
func (p *parser) conjunction(depth int, negated bool) (node, error) {
	return p.joined(tokAnd, negated, func() (node, error) { return p.operand(depth, negated) })
}

// joined reads one or more operands with a sign between them. A negation turns
// one kind of junction into the other.
func (p *parser) joined(sign tokenKind, negated bool, operand func() (node, error)) (node, error) {
	all := &junction{any: (sign == tokOr) != negated}
	for {
		n, err := operand()
		if err != nil {
			return nil, err
		}
		all.of = append(all.of, n)
		if p.tok.kind != sign {
			break
		}
		p.next()
	}
	if len(all.of) == 1 {
		return all.of[0], nil
	}
	return all, nil
}

func (p *parser) operand(depth int, negated bool) (node, error) {
	if depth > DepthMax {
		return nil, &Error{p.tok.column, fmt.Sprintf("is nested deeper than %d: write it flatter", DepthMax)}
	}
	switch p.tok.kind {
	case tokNot:
		p.next()
		return p.operand(depth+1, !negated)
	case tokOpen:
		p.next()
		n, err := p.expression(depth+1, negated)
		if err != nil {
			return nil, err
		}
		if p.tok.kind != tokClose {
			return nil, p.expected("&&, || or )")
		}
		p.next()
		return n, nil
	case tokName:
		return p.comparison(negated)
	}
	return nil, p.expected("a comparison such as drops.10s < 5/s")
}

func (p *parser) comparison(negated bool) (node, error) {
	c := &comparison{name: p.tok.text}
	if _, seen := p.uses[c.name]; !seen {
		p.uses[c.name] = p.tok.column
	}
	if c.name[len(c.name)-1] == '.' {
		return nil, &Error{p.tok.column, fmt.Sprintf("the name %q ends in a dot: write it as in drops.10s", c.name)}
	}
	if p.next(); p.tok.kind != tokOp {
		return nil, p.expected("one of < <= > >= == != after " + c.name)
	}
	c.op = opOf(p.tok.text, negated)
	if p.next(); p.tok.kind != tokQuantity {
		return nil, p.expected("a quantity such as 5/s, 2s, 5% or 64KiB")
	}
	var err error
	if c.limit, err = readQuantity(p.tok.text); err != nil {
		return nil, &Error{p.tok.column, fmt.Sprintf("%q %v", p.tok.text, err)}
	}
	p.next()
	return c, nil
}

// expected makes the error of a token that may not stand where it does.
func (p *parser) expected(what string) error {
	found := "the end"
	if p.tok.kind != tokEnd {
		found = fmt.Sprintf("%q", p.tok.text)
	}
	return &Error{p.tok.column, "expected " + what + ", found " + found}
}
