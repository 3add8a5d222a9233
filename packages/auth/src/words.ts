/** What a scope may be made of (RFC 6749 section 3.3). */
export const SCOPE: RegExp = /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/;

/** A role may have spaces in it, and letters of any language. */
export const ROLE: RegExp = /^[^\p{C}]{1,100}$/u;
