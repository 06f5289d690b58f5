//! What a user connects with: a token, and the key that it is about.

use contract::creds;
use nkeys::KeyPair;

use super::{Claims, IdentityError, claims::User, decode};

/// A user's token and key. Not `Debug`: the key is a secret.
pub struct Creds {
    /// The token.
    pub token: String,
    /// What the token says.
    pub claims: Claims<User>,
    key: KeyPair,
}

impl Creds {
    /// A token and the key that it is about.
    ///
    /// # Errors
    /// When the token means nothing any more, or is about another key.
    pub fn new(token: String, key: KeyPair) -> Result<Self, IdentityError> {
        let claims: Claims<User> = decode(&token)?;
        if claims.sub == key.public_key() {
            Ok(Self { token, claims, key })
        } else {
            Err(IdentityError::Creds("the token is about another key"))
        }
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is damaged, and as [`Creds::new`].
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let (token, seed) =
            creds::read(text).ok_or(IdentityError::Creds("they lack the token or the key of a user"))?;
        let key = KeyPair::from_seed(seed).map_err(|_| IdentityError::Creds("its key is none"))?;
        Self::new(token.to_owned(), key)
    }

    /// The file's text.
    ///
    /// # Errors
    /// When the key has no seed.
    pub fn text(&self) -> Result<String, IdentityError> {
        let seed = self.key.seed().map_err(|_| IdentityError::Creds("its key has no seed"))?;
        Ok(creds::write(&self.token, &seed))
    }

    /// Signs what a server asks to be signed.
    ///
    /// # Errors
    /// When the key has no seed.
    pub fn sign(&self, nonce: &[u8]) -> Result<Vec<u8>, IdentityError> {
        self.key.sign(nonce).map_err(|_| IdentityError::Creds("its key cannot sign"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::nats::encode;

    fn token(about: &KeyPair) -> String {
        let claims = Claims::new(&about.public_key(), "web", Some(Duration::from_mins(1)), User::default());
        encode(claims, &KeyPair::new_account()).unwrap()
    }

    #[test]
    fn a_file_reads_back() {
        let user = KeyPair::new_user();
        let creds = Creds::new(token(&user), user).unwrap();
        let read = Creds::parse(&creds.text().unwrap()).unwrap();
        assert_eq!((read.token, read.claims), (creds.token, creds.claims));
    }

    #[test]
    fn a_file_that_is_cut_or_mixed_up_says_what_it_lacks_and_not_what_it_holds() {
        let (user, other) = (KeyPair::new_user(), KeyPair::new_user());
        let text = Creds::new(token(&user), user).unwrap().text().unwrap();
        let cut = text.split("-----BEGIN USER").next().unwrap();
        let mixed = Creds::new(token(&other), other).unwrap().text().unwrap();
        let mixed = format!("{cut}-----BEGIN USER{}", mixed.split("-----BEGIN USER").nth(1).unwrap());
        for (text, said) in [("", "lack"), (cut, "lack"), (mixed.as_str(), "another key")] {
            let error = Creds::parse(text).err().unwrap().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
