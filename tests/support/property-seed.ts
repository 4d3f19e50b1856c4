// SPDX-License-Identifier: Apache-2.0
// One seed for all property tests, so that the gate gives the same verdict on the same code. Another one
// looks elsewhere: `PROPERTY_SEED=7 npm test`.
import fc from "fast-check";

const { PROPERTY_SEED = "1" } = process.env;

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(PROPERTY_SEED) });
