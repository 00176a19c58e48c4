// SPDX-License-Identifier: Apache-2.0

// For each file the size and the SHA-256 of what its one gzip member decompresses to; anything behind the member is an
// error.
package main

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

func read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	buffered := bufio.NewReader(file)
	member, err := gzip.NewReader(buffered)
	if err != nil {
		return err
	}
	member.Multistream(false)
	digest := sha256.New()
	size, err := io.Copy(digest, member)
	if err != nil {
		return err
	}
	if _, err = buffered.ReadByte(); err != io.EOF {
		return fmt.Errorf("%s: more than one member", path)
	}
	fmt.Printf("%d %x\n", size, digest.Sum(nil))
	return nil
}

func main() {
	for _, path := range os.Args[1:] {
		if err := read(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
