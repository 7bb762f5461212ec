// The panel's script: plain modules without a build, checked like the rest. Run from the top of the repository.
import tseslint from 'typescript-eslint';

export default tseslint.config(...tseslint.configs.recommended, {
  files: ['rlm_kernel/panel/static/*.js'],
  rules: {
    eqeqeq: 'error',
    'max-lines': ['error', { max: 400, skipComments: true, skipBlankLines: true }],
    'max-lines-per-function': ['error', { max: 70, skipComments: true, skipBlankLines: true }],
    'prefer-const': 'error',
    // Text of strangers is set as text only, see dom.js.
    'no-restricted-properties': [
      'error',
      ...['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'srcdoc'].map(property => ({ property })),
      { object: 'document', property: 'write' }
    ],
    '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }]
  }
});
