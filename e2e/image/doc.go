// Package image tries the image of the program with podman: locked down as a
// cluster would run it, from the first webhook to the end.
//
// It must not know how the image is built. Run it with scripts/image-test, which
// builds it first.
package image
