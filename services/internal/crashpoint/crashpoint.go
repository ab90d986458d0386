// Package crashpoint names the places where a process may die and the shop must
// come right all the same. Only a build with the tag "crashpoints" can die there,
// and only when a test has armed the place; in any other build a point is an
// empty function that the compiler leaves out.
//
// Armed is a point whose file lies in the folder that CARAVAN_CRASHPOINTS names:
// <app id>.<point>.<detail>, with _ for each slash. What it holds is the count of
// the passage that kills, 1 if it is empty. The file is gone before the process
// is, so a point kills once.
package crashpoint
