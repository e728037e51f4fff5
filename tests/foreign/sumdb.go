// Checks checkpoints, tiles and proofs with golang.org/x/mod/sumdb, the Go team's own implementation of the formats.
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type proofFile struct {
	Checkpoint, First, Second string
	Entries                   []struct {
		Leaf int64
		Hash string
		Path []string
	}
	Path []string
}

type folder struct {
	root string
}

func (f folder) Height() int { return 8 }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		// C2SP leaves out the height that the path of this package has: tile/8/0/000 is tile/0/000.
		name := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(f.root, name))
		if err != nil && tile.W < 256 {
			whole := tile
			whole.W = 256
			name = strings.Replace(whole.Path(), "tile/8/", "tile/", 1)
			data, err = os.ReadFile(filepath.Join(f.root, name))
			if err == nil {
				data = data[:tile.W*tlog.HashSize]
			}
		}
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func hash(text string) (h tlog.Hash) {
	raw, err := hex.DecodeString(text)
	must(err)
	copy(h[:], raw)
	return h
}

func hashes(texts []string) (all []tlog.Hash) {
	for _, text := range texts {
		all = append(all, hash(text))
	}
	return all
}

func open(signed string, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		log.Fatalf("origin %q", lines[0])
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree
}

func read(path string) (proof proofFile) {
	data, err := os.ReadFile(path)
	must(err)
	must(json.Unmarshal(data, &proof))
	return proof
}

func main() {
	root, vkey, inclusion, consistency := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	verifier, err := note.NewVerifier(vkey)
	must(err)
	newest, err := os.ReadFile(filepath.Join(root, "checkpoint"))
	must(err)
	tree := open(string(newest), verifier)
	reader := tlog.TileHashReader(tree, folder{root})
	total, err := tlog.TreeHash(tree.N, reader)
	must(err)
	if total != tree.Hash {
		log.Fatal("the tiles give another root")
	}
	proof := read(inclusion)
	for _, entry := range proof.Entries {
		data := hash(entry.Hash)
		leaf := tlog.RecordHash(data[:])
		must(tlog.CheckRecord(hashes(entry.Path), tree.N, open(proof.Checkpoint, verifier).Hash, entry.Leaf, leaf))
		own, err := tlog.ProveRecord(tree.N, entry.Leaf, reader)
		must(err)
		if fmt.Sprint(own) != fmt.Sprint(tlog.RecordProof(hashes(entry.Path))) {
			log.Fatal("another proof follows from the tiles")
		}
	}
	two := read(consistency)
	first, second := open(two.First, verifier), open(two.Second, verifier)
	must(tlog.CheckTree(hashes(two.Path), second.N, second.Hash, first.N, first.Hash))
	fmt.Printf("%d leaves, %d entries, %d in %d\n", tree.N, len(proof.Entries), first.N, second.N)
}
