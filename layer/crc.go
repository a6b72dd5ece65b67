package layer

// CRC-32 as gzip has it is the remainder of a polynomial over GF(2), in which the least significant bit is the highest power. That
// of a row of parts follows from those of the parts: appending n bytes multiplies what came before by x^(8n).

// crcPolynomial is the reversed IEEE polynomial, without its x^32.
const crcPolynomial = 0xedb88320

// crcMultiply is a·b modulo the polynomial.
func crcMultiply(a, b uint32) uint32 {
	var product uint32
	for ; a != 0; a <<= 1 {
		if a&(1<<31) != 0 { // x^0, x^1, …
			product ^= b
		}
		carry := b & 1 // x^31 becomes x^32
		b >>= 1
		if carry != 0 {
			b ^= crcPolynomial
		}
	}
	return product
}

// crcCombine is the CRC-32 of two rows of bytes, one after the other, of which the second has size bytes.
func crcCombine(first, second uint32, size int64) uint32 {
	shift, power := uint32(1)<<31, uint32(1)<<(31-8) // x^0, x^8
	for n := size; n > 0; n >>= 1 {
		if n&1 != 0 {
			shift = crcMultiply(shift, power)
		}
		power = crcMultiply(power, power)
	}
	return crcMultiply(shift, first) ^ second
}
