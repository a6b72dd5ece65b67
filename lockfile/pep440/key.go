package pep440

// The sort key of a version: two words that order as the versions do, but for
// the text of the local segment.
//
//	hi  release[0]:26 release[1]:19 release[2]:19
//	lo  release[3]:28 stage:3 pre:10 post:10 dev:12 local:1
//
// The widths leave room for a date in any release component. stage orders the
// kinds of version within one release; post is 0 without a post segment, else
// its number + 1; dev is its number, or all ones without a dev segment; local is
// set when there is a local segment, whose text then decides between equal
// keys. A version that does not fit (an epoch, a fifth component, a large
// number) has the key 0, which no other version has, since stage is never 0.
const (
	bits0, bits1, bits2, bits3        = 26, 19, 19, 28
	bitsPre, bitsPost, bitsDev        = 10, 10, 12
	shiftDev                          = 1
	shiftPost                         = shiftDev + bitsDev
	shiftPre                          = shiftPost + bitsPost
	shiftStage                        = shiftPre + bitsPre
	shift3                            = shiftStage + 3
	noDev                             = 1<<bitsDev - 1
	localBit                   uint64 = 1
	finalSuffix                uint64 = uint64(stageFinal)<<shiftStage | noDev<<shiftDev
)

// The stages of a release, in PEP 440's order.
type stage uint8

const (
	stageDev stage = iota + 1 // a dev segment, with neither pre nor post
	stageAlpha
	stageBeta
	stageRC
	stageFinal // the release itself, and what is after it
)

func (p *parts) stage() stage {
	switch p.pre {
	case "a":
		return stageAlpha
	case "b":
		return stageBeta
	case "rc":
		return stageRC
	}
	if p.hasDev && !p.hasPost {
		return stageDev
	}
	return stageFinal
}

// pack gives the sort key of a version, or zeros when it does not fit.
func (p *parts) pack() (hi, lo uint64) {
	if trimZeros(p.epoch) != "" {
		return 0, 0
	}
	var release [4]uint64
	n := 0
	for i := 0; ; n++ {
		j := digits(p.release, i)
		if n == len(release) {
			return 0, 0
		}
		var ok bool
		if release[n], ok = small(p.release[i:j], releaseBits[n]); !ok {
			return 0, 0
		}
		if j == len(p.release) {
			break
		}
		i = j + 1
	}
	pre, okPre := small(p.preN, bitsPre)
	post, okPost := small(p.post, bitsPost)
	dev, okDev := small(p.dev, bitsDev)
	if p.hasPost {
		post++
	}
	if !p.hasDev {
		dev = noDev
	}
	if !okPre || !okPost || !okDev || post == 1<<bitsPost || p.hasDev && dev == noDev {
		return 0, 0
	}
	hi, lo = packRelease(release)
	lo |= uint64(p.stage())<<shiftStage | pre<<shiftPre | post<<shiftPost | dev<<shiftDev
	if p.local != "" {
		lo |= localBit
	}
	return hi, lo
}

var releaseBits = [4]uint{bits0, bits1, bits2, bits3}

func packRelease(r [4]uint64) (hi, lo uint64) {
	return r[0]<<(bits1+bits2) | r[1]<<bits2 | r[2], r[3] << shift3
}

// small gives the value of decimal digits if it has at most that many bits.
func small(digits string, bits uint) (uint64, bool) {
	n := uint64(0)
	for i := range len(digits) {
		if n = n*10 + uint64(digits[i]-'0'); n >= 1<<bits {
			return 0, false
		}
	}
	return n, true
}

// parseRelease reads the plainest versions, normalised and of up to four small
// numbers, in one pass. ok is false for all others.
func parseRelease(s string) (v Version, ok bool) {
	var release [4]uint64
	n, start := 0, 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && isDigit(s[i]) {
			if release[n] = release[n]*10 + uint64(s[i]-'0'); release[n] >= 1<<releaseBits[n] {
				return Version{}, false
			}
			continue
		}
		if i == start || s[start] == '0' && i > start+1 {
			return Version{}, false
		}
		if i == len(s) {
			break
		}
		if n++; s[i] != '.' || n == len(release) {
			return Version{}, false
		}
		start = i + 1
	}
	v.text = s
	v.hi, v.lo = packRelease(release)
	v.lo |= finalSuffix
	return v, true
}
