package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// writeSQLite makes the database in a file beside the one of the name, which it
// takes the place of when it is complete. A file that holds the same market
// already is left alone, unless force is set.
func writeSQLite(ctx context.Context, m *market, file string, force bool, p progress) error {
	if !force && holds(file, m) {
		p.note("%s is there already", file)
		return nil
	}
	temp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // gone already when all went well
	if err := temp.Close(); err != nil {
		return err
	}
	if err := fillSQLite(ctx, m, temp.Name(), p); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := os.Chmod(temp.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(temp.Name(), file)
}

// holds reports whether a file holds the same market.
func holds(file string, m *market) bool {
	if _, err := os.Stat(file); err != nil {
		return false
	}
	db, err := sqlite3.OpenFlags(file, sqlite3.OPEN_READONLY)
	if err != nil {
		return false
	}
	defer db.Close()
	s, _, err := db.Prepare("select value from about where name = 'made'")
	if err != nil {
		return false
	}
	defer s.Close()
	return s.Step() && s.ColumnText(0) == m.made()
}

func fillSQLite(ctx context.Context, m *market, file string, p progress) (err error) {
	db, err := sqlite3.Open(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetInterrupt(ctx)
	// Whatever goes wrong, the file is thrown away: nothing need be safe.
	err = db.Exec(`pragma page_size = 8192; pragma journal_mode = off; pragma synchronous = off;
		pragma locking_mode = exclusive; pragma cache_size = -65536; pragma temp_store = memory; begin`)
	if err != nil {
		return err
	}
	for i := range tables {
		if err := fillTable(ctx, db, m, &tables[i], p); err != nil {
			return fmt.Errorf("%s: %w", tables[i].name, err)
		}
	}
	return db.Exec(view + "; analyze; commit")
}

func fillTable(ctx context.Context, db *sqlite3.Conn, m *market, t *table, p progress) (err error) {
	if err := db.Exec(t.create(inSQLite) + " without rowid"); err != nil {
		return err
	}
	insert, _, err := db.Prepare("insert into " + t.name + " values (?" + strings.Repeat(", ?", t.width()-1) + ")")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	done := p.begin(t.name, t.rows(m))
	defer done()
	err = t.write(m, func(cells ...any) error {
		for i, c := range cells {
			if err := bindCell(insert, i+1, c); err != nil {
				return err
			}
		}
		p.step()
		return insert.Exec()
	})
	if err != nil || t.indexes == "" {
		return err
	}
	return db.Exec(t.indexes)
}

func bindCell(s *sqlite3.Stmt, i int, c any) error {
	switch c := c.(type) {
	case string:
		return s.BindText(i, c)
	case int:
		return s.BindInt(i, c)
	case bool:
		return s.BindBool(i, c)
	case span:
		return s.BindText(i, c.String())
	}
	return s.BindNull(i)
}
