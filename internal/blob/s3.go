// Stores that speak S3.

package blob

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// s3 keeps objects in a bucket. It uses what everything that speaks S3 has: PUT, GET, DELETE
// and list-type=2; and of newer things If-None-Match, without which there is no Create.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
type s3 struct {
	address
	dialect dialect
	keys    *keys
	client  *http.Client
}

func (s *s3) String() string { return s.text }

// A request is one to a store.
type request struct {
	operation string // for errors
	method    string
	name      string // of the object; "" is the bucket
	query     url.Values
	header    http.Header
	body      []byte
	// What is done with an answer of success. The body is closed afterwards.
	answer func(*http.Response) error
}

// do makes one attempt at a request.
func (s *s3) do(ctx context.Context, r request) error {
	if r.name != "" {
		if err := CheckName(r.name); err != nil {
			return err
		}
	}
	err := s.attempt(ctx, r)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
		err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return fmt.Errorf("%s: %s: %w", s.text, strings.TrimSpace(r.operation+" "+r.name), err)
}

func (s *s3) attempt(ctx context.Context, r request) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	key, err := s.keys.get(ctx)
	if err != nil {
		return err
	}
	at := url.URL{Scheme: s.scheme, Host: s.host, Path: s.path}
	if r.name != "" {
		at.Path += s.prefix + r.name
	}
	at.RawQuery = strings.ReplaceAll(r.query.Encode(), "+", "%20") // as signatures have it
	q, err := http.NewRequestWithContext(ctx, r.method, at.String(), bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	if r.header != nil {
		q.Header = r.header
	}
	s.dialect.sign(q, sha256.Sum256(r.body), key, s.region, time.Now())
	q.Header.Set("User-Agent", "towpath")
	q.Header.Set("Accept-Encoding", "identity")
	if len(r.body) > tooLargeToSendInVain {
		q.Header.Set("Expect", "100-continue")
	}
	response, err := s.client.Do(q)
	if err != nil {
		return unreached(err)
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection can be used again
		_ = response.Body.Close()
	}()
	if response.StatusCode/100 == 2 {
		if r.answer == nil {
			return nil
		}
		return r.answer(response)
	}
	refusal := readRefusal(response, key)
	if refusal.blamesKeys() {
		s.keys.forget() // they may have been replaced
	}
	return refusal.explain(s, r)
}

// Before so much is sent the server is asked whether it would take it.
const tooLargeToSendInVain = 2 << 20

func (s *s3) Create(ctx context.Context, name string, data []byte, class Class) error {
	sum := md5.Sum(data)
	header := http.Header{}
	// The signature vouches for the bytes too, with SHA-256. This sum is for servers that
	// do not look there, and for buckets with a retention, which ask for it.
	header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	header.Set("Content-Type", "application/octet-stream")
	header.Set(s.dialect.ifAbsent, s.dialect.ifAbsentValue)
	if class == Infrequent && s.infrequent != "" {
		header.Set(s.dialect.prefix+"Storage-Class", s.infrequent)
	}
	return s.do(ctx, request{operation: "create", method: http.MethodPut, name: orRefused(name), header: header, body: data})
}

// orRefused is a name that is refused where an empty one would mean the bucket.
func orRefused(name string) string {
	if name == "" {
		return "/"
	}
	return name
}

func (s *s3) Get(ctx context.Context, name string) (data []byte, err error) {
	err = s.do(ctx, request{operation: "get", method: http.MethodGet, name: orRefused(name), answer: func(r *http.Response) error {
		data, err = readBody(r)
		return err
	}})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// readBody reads all that was announced.
func readBody(r *http.Response) ([]byte, error) {
	if r.ContentLength < 0 {
		return io.ReadAll(r.Body)
	}
	var data bytes.Buffer
	data.Grow(int(min(r.ContentLength, 1<<30)) + bytes.MinRead)
	_, err := data.ReadFrom(r.Body) // less than announced is an error
	return data.Bytes(), err
}

// Head asks for a range, also where a HEAD would do: a HEAD's refusals have no reason.
func (s *s3) Head(ctx context.Context, name string, n int) (data []byte, size int64, err error) {
	header := http.Header{"Range": {fmt.Sprintf("bytes=0-%d", max(n, 1)-1)}}
	err = s.do(ctx, request{operation: "head", method: http.MethodGet, name: orRefused(name), header: header, answer: func(r *http.Response) error {
		size = r.ContentLength // of a server that takes no notice of ranges
		if r.StatusCode == http.StatusPartialContent {
			_, whole, _ := strings.Cut(r.Header.Get("Content-Range"), "/")
			if size, err = strconv.ParseInt(whole, 10, 64); err != nil {
				return fmt.Errorf("the answer has the Content-Range %q: expected one with a size", r.Header.Get("Content-Range"))
			}
		}
		if size < 0 {
			return errors.New("the answer has no size: expected a Content-Length")
		}
		data = make([]byte, min(int64(max(n, 0)), size))
		_, err = io.ReadFull(r.Body, data)
		return err
	}})
	if errors.Is(err, errEmpty) {
		return []byte{}, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return data, size, nil
}

func (s *s3) Delete(ctx context.Context, name string) error {
	err := s.do(ctx, request{operation: "delete", method: http.MethodDelete, name: orRefused(name)})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// A page is what S3 lists for one request.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
type page struct {
	XMLName     xml.Name `xml:"ListBucketResult"`
	IsTruncated bool
	Contents    []struct {
		Key          string
		Size         int64
		LastModified time.Time
	}
}

const largestPage = 16 << 20 // bytes

func (s *s3) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for {
			var p page
			query := url.Values{"list-type": {"2"}, "max-keys": {strconv.Itoa(listPage)}, "encoding-type": {"url"}, "prefix": {s.prefix + prefix}}
			if after != "" {
				query.Set("start-after", s.prefix+after)
			}
			err := s.do(ctx, request{operation: "list " + prefix, method: http.MethodGet, query: query, answer: func(r *http.Response) error {
				err := xml.NewDecoder(io.LimitReader(r.Body, largestPage)).Decode(&p)
				if errors.As(err, new(xml.UnmarshalError)) {
					return refuse("expected a list that S3 would give: is %s the address of a server that speaks it? (%w)", s.endpoint(), err)
				}
				return err
			}})
			if err != nil {
				yield(Info{}, err)
				return
			}
			for _, o := range p.Contents {
				key, err := url.QueryUnescape(o.Key)
				name, ours := strings.CutPrefix(key, s.prefix)
				if err != nil || !ours || name <= after {
					yield(Info{}, refuse("%s: list %s: there is %q, after %q: expected names in the order of their bytes", s.text, prefix, o.Key, after))
					return
				}
				after = name
				if CheckName(name) != nil {
					continue // not of our making
				}
				if !yield(Info{Name: name, Size: o.Size, Modified: o.LastModified}, nil) {
					return
				}
			}
			if !p.IsTruncated {
				return
			}
			if len(p.Contents) == 0 {
				yield(Info{}, refuse("%s: list %s: a page is empty, and says that there are more", s.text, prefix))
				return
			}
		}
	}
}
