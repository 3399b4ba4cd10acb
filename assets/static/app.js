"use strict";
// Adds to pages that work without it: copying, how long ago, "/" for the search. Writes text only.
