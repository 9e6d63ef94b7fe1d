package backups

import (
	"bytes"

	"github.com/klauspost/compress/zstd"
)

// measureRecords compresses a tenth of the records, in a row and one by one.
func measureRecords(records *Records) (size, error) {
	s := size{records: records.Len()}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		return s, err
	}
	defer encoder.Close()
	var row bytes.Buffer
	var zstdOne, gzipOne int64
	for i := range records.Len() {
		v := records.Value(i)
		s.bytes += int64(len(v))
		if i >= records.Len()/10 {
			continue
		}
		row.Write(v)
		z, err := zipped(v)
		if err != nil {
			return s, err
		}
		zstdOne, gzipOne = zstdOne+int64(len(encoder.EncodeAll(v, nil))), gzipOne+int64(len(z))
	}
	gz, err := zipped(row.Bytes())
	n := float64(row.Len())
	s.zstd, s.gzip = n/float64(len(encoder.EncodeAll(row.Bytes(), nil))), n/float64(len(gz))
	s.zstdOne, s.gzOne = n/float64(zstdOne), n/float64(gzipOne)
	return s, err
}
