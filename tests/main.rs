//! The promises, one module each: what must hold of the whole, tried from outside.

#[cfg(test)]
mod architecture;
