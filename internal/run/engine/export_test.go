package engine

// NewInstance makes an instance and throws it away.
func NewInstance(p *Program) error {
	in, err := p.newInstance()
	if err != nil {
		return err
	}
	in.close()
	return nil
}
