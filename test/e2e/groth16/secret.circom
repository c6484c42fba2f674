// "I know the number behind this digest, and I say it for this account."
//
// The digest is a cipher in the manner of MiMC: ten rounds of x -> (x + c)^5, a permutation of the
// field since 5 has no divisor in common with its order less one. The constants are small: this is
// for a test and not for keeping secrets.
pragma circom 2.1.0;

template Digest(rounds) {
    signal input secret;
    signal output digest;
    signal state[rounds + 1];
    signal square[rounds];
    signal fourth[rounds];

    state[0] <== secret;
    for (var i = 0; i < rounds; i++) {
        var x = state[i] + 1000003 * i + 7;
        square[i] <== x * x;
        fourth[i] <== square[i] * square[i];
        state[i + 1] <== fourth[i] * x;
    }
    digest <== state[rounds] + secret;
}

template Secret() {
    signal input account; // public: the proof is for no other
    signal input secret;
    signal output digest;
    signal bound;

    component made = Digest(10);
    made.secret <== secret;
    digest <== made.digest;
    bound <== account * account; // a signal without a constraint could be changed afterwards
}

component main {public [account]} = Secret();
