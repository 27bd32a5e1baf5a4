// Checks an archive or a receipt with Go's reference implementation of transparency logs
// (golang.org/x/mod/sumdb/note and tlog), so that nothing of our own code is believed.
//
//	check archive DIR LOG-VKEY [COSIGNER-VKEY]
//	check receipt FILE LOG-VKEY [COSIGNER-VKEY]
//
// It prints the origin, the size and, for a receipt, the index. Anything that does not hold is an error and exit code 1.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: check archive|receipt PATH LOG-VKEY [COSIGNER-VKEY]")
	}
	switch args[0] {
	case "archive":
		return archive(args[1], args[2:])
	case "receipt":
		return receipt(args[1], args[2:])
	}
	return fmt.Errorf("unknown kind %q", args[0])
}

// checkpoint is the text of a log's signed note.
type checkpoint struct {
	origin string
	tree   tlog.Tree
}

// open verifies a signed checkpoint: by the log, and by the cosigner if one is given.
func open(text []byte, vkeys []string) (checkpoint, error) {
	var c checkpoint
	log, err := note.NewVerifier(vkeys[0])
	if err != nil {
		return c, err
	}
	verifiers := []note.Verifier{log}
	for _, vkey := range vkeys[1:] {
		cosigner, err := newCosigner(vkey)
		if err != nil {
			return c, err
		}
		verifiers = append(verifiers, cosigner)
	}
	n, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		return c, err
	}
	if len(n.Sigs) != len(verifiers) {
		return c, fmt.Errorf("%d of %d signatures are there", len(n.Sigs), len(verifiers))
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != log.Name() {
		return c, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return c, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return c, err
	}
	return checkpoint{lines[0], tlog.Tree{N: size, Hash: root}}, nil
}

// cosigner verifies cosignature/v1, which the reference does not know: a time, then an Ed25519 signature.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (*cosigner, error) {
	name, rest, ok := strings.Cut(vkey, "+")
	id, encoded, ok2 := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.DecodeString(encoded)
	hash, err2 := hex.DecodeString(id)
	if !ok || !ok2 || err != nil || err2 != nil || len(hash) != 4 || len(key) != 33 || key[0] != 4 {
		return nil, errors.New("not a cosigner's key")
	}
	return &cosigner{name, binary.BigEndian.Uint32(hash), key[1:]}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }
func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

// archive checks every tile and every entry of a log in the layout of C2SP tlog-tiles.
func archive(dir string, vkeys []string) error {
	text, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	c, err := open(text, vkeys)
	if err != nil {
		return err
	}
	// The reader authenticates every tile against the root.
	hashes := tlog.TileHashReader(c.tree, &tiles{dir, c.tree.N})
	for first := int64(0); first < c.tree.N; first += 256 {
		end := min(first+256, c.tree.N)
		indexes := make([]int64, 0, 256)
		for n := first; n < end; n++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, n))
		}
		leaves, err := hashes.ReadHashes(indexes)
		if err != nil {
			return err
		}
		bundle, err := os.ReadFile(filepath.Join(dir, "tile", "entries", number(first/256, int(end-first))))
		if err != nil {
			return err
		}
		for place, leaf := range leaves {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return fmt.Errorf("entry %d is cut", first+int64(place))
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:end]) != leaf {
				return fmt.Errorf("entry %d is not the tree's", first+int64(place))
			}
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			return errors.New("a bundle has more entries than it must")
		}
	}
	fmt.Println(c.origin, c.tree.N)
	return nil
}

// tiles reads hash tiles, whose paths in the specification do not name the height that the reference's do.
type tiles struct {
	dir  string
	size int64
}

func (t *tiles) Height() int                           { return 8 }
func (t *tiles) SaveTiles(tiles []tlog.Tile, _ [][]byte) {}
func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	read := make([][]byte, len(wanted))
	for i, tile := range wanted {
		// The reference may ask for less of a tile than the tree has; the log keeps the widest.
		width := min(t.size>>(8*tile.L)-tile.N*256, 256)
		path := filepath.Join(t.dir, "tile", strconv.Itoa(tile.L), number(tile.N, int(width)))
		bytes, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if len(bytes) != int(width)*32 || tile.W > int(width) {
			return nil, fmt.Errorf("%s has another width", path)
		}
		read[i] = bytes[:tile.W*32]
	}
	return read, nil
}

func number(n int64, width int) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	if width < 256 {
		path += fmt.Sprintf(".p/%d", width)
	}
	return path
}

// receipt checks a tlog-proof whose extra line is the entry.
func receipt(path string, vkeys []string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, signed, ok := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !ok || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a proof")
	}
	extra, isExtra := strings.CutPrefix(lines[1], "extra ")
	entry, err := base64.StdEncoding.DecodeString(extra)
	if err != nil || !isExtra {
		return errors.New("the proof does not carry its entry")
	}
	decimal, isIndex := strings.CutPrefix(lines[2], "index ")
	index, err := strconv.ParseInt(decimal, 10, 64)
	if err != nil || !isIndex {
		return errors.New("the proof has no index")
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	c, err := open(signed, vkeys)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, c.tree.N, c.tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return err
	}
	fmt.Println(c.origin, c.tree.N, index)
	return nil
}
