package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// writePostgres makes the tables in a database, in one transaction: until it ends
// others see those that were there before. A database that holds the same market
// already is left alone, unless force is set.
func writePostgres(ctx context.Context, m *market, url string, force bool, p progress) (err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	var made string
	if !force && conn.QueryRow(ctx, "select value from about where name = 'made'").Scan(&made) == nil && made == m.made() {
		p.note("the database has it already")
		return nil
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after the commit there is nothing to undo
	if _, err := tx.Exec(ctx, "drop view if exists current_offers"); err != nil {
		return err
	}
	for i := range tables {
		if err := copyTable(ctx, tx, m, &tables[i], p); err != nil {
			return fmt.Errorf("%s: %w", tables[i].name, err)
		}
	}
	if _, err := tx.Exec(ctx, view); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func copyTable(ctx context.Context, tx pgx.Tx, m *market, t *table, p progress) error {
	for _, statement := range []string{"drop table if exists " + t.name, t.create(inPostgres)} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	done := p.begin(t.name, t.rows(m))
	defer done()
	reader, w := io.Pipe()
	go func() { w.CloseWithError(encode(m, t, w, p)) }() // ends when the reader is closed, below
	_, err := tx.Conn().PgConn().CopyFrom(ctx, reader, "copy "+t.name+" from stdin")
	_ = reader.Close() // a pipe's never fails
	if err != nil {
		return err
	}
	for _, statement := range []string{t.indexes, "analyze " + t.name} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

var escapeCopy = strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n", "\r", "\\r")

// encode writes a table as COPY reads it: a line for each row, tabs between cells.
func encode(m *market, t *table, to io.Writer, p progress) error {
	w := bufio.NewWriterSize(to, 64<<10)
	var line []byte
	err := t.write(m, func(cells ...any) error {
		line = line[:0]
		for i, c := range cells {
			if i > 0 {
				line = append(line, '\t')
			}
			line = appendCell(line, c)
		}
		p.step()
		_, err := w.Write(append(line, '\n'))
		return err
	})
	return errors.Join(err, w.Flush())
}

func appendCell(line []byte, c any) []byte {
	switch c := c.(type) {
	case string:
		return append(line, escapeCopy.Replace(c)...)
	case int:
		return strconv.AppendInt(line, int64(c), 10)
	case bool:
		return strconv.AppendBool(line, c)
	case span:
		return append(line, c.String()...)
	}
	return append(line, '\\', 'N')
}
